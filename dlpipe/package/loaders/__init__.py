"""For each backend whose runtime takes a model from memory: the program that an encrypted artefact is loaded with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = "load_encrypted.py"  # what it is called in the artefact
PLAIN = ("run.json", "contract.json", "preprocess.py", "preprocess.h", "postprocess.py", "README.md", "LICENSES/")
_NEVER_WATCHED = (
    "what its runtime and driver write to a disk while they load it takes a GPU to watch, and none was there"
)


@dataclass(frozen=True, slots=True)
class Loader:
    """`program` loads an artefact; `plain` is what else stays readable there: names, or folders with a slash."""

    program: Path
    plain: tuple[str, ...] = ()

    def stays_plain(self, name: str) -> bool:
        """Whatever is not known to hold nothing of the model is encrypted."""
        return any(name == each or (each.endswith("/") and name.startswith(each)) for each in (*PLAIN, *self.plain))


def _loader(name: str, *plain: str) -> Loader:
    return Loader(Path(__file__).with_name(f"{name}.py"), plain)


LOADERS = {
    "onnxruntime": _loader("onnxruntime"),
    "onnxruntime-cuda": _loader("onnxruntime"),
    "openvino": _loader("openvino"),
    "ncnn": _loader("ncnn"),
    "tvm": _loader("tvm", "runner", "lib/"),
}
# Kind of artefact -> why it has none, where more is known than that nobody wrote it.
REFUSED = {
    "tvm for OpenCL": "an OpenCL driver compiles the kernels from their source, and keeps what it made in a disk cache",
    "tvm for CUDA": _NEVER_WATCHED,
    "tensorrt": _NEVER_WATCHED,
    "tensorrt-rtx": _NEVER_WATCHED,
}


def why_not(kind: str) -> str | None:
    """Why nothing loads an encrypted artefact of that kind from memory; None where something does."""
    return None if kind in LOADERS else REFUSED.get(kind, f"nothing loads an encrypted model of {kind} from memory")


def kind_of(how: Mapping[str, Any]) -> str:
    """The key in LOADERS or REFUSED that an artefact with this run.json has."""
    kernels = str(how.get("kernels", ""))
    if how["backend"] != "tvm" or not kernels:
        return str(how["backend"])
    return "tvm for OpenCL" if kernels.endswith(".cl") else "tvm for CUDA"

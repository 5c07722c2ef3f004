"""A network in Khronos' runtime. It reads a folder from the disk, with every input's shape in the text."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import _nnef
import nnef
import numpy as np
from dlpipe_worker import Refused

from ..kit import executing
from .khronos_text import plain
from .packed import GRAPH, QUANTISATION, Files, open_files

# Fragments of the standard that the runtime does not execute as a whole: they are opened to what it does.
_OPENED = [
    "add_n", "area_downsample", "batch_normalization", "clamp", "l1_normalization", "l2_normalization",
    "linear_quantize", "local_contrast_normalization", "local_mean_normalization", "local_response_normalization",
    "local_variance_normalization", "logarithmic_quantize", "min_max_linear_quantize", "moments",
    "nearest_downsample", "nearest_upsample", "prelu", "rms_pool", "separable_conv", "separable_deconv", "softabs",
    "softmax", "zero_point_linear_quantize",
]  # fmt: skip
_FRAGMENT = re.compile(r"^\s*fragment\s+(\w+)", re.MULTILINE)
_GOLDEN = "give inputs and outputs of the original with --reference io.npz"
_TYPES = {"float32": "scalar", "int64": "integer", "bool": "logical"}
_FED = {"scalar": np.float32, "integer": np.int32, "logical": np.bool_}
_HEAD = re.compile(r"\bgraph\s+(\w+)\s*\(([^)]*)\)\s*->\s*\(([^)]*)\)")


class Khronos(executing.Model):
    """The session opens with the first sample, whose shapes are the inputs'."""

    tool = f"nnef {nnef.__version__}" if hasattr(nnef, "__version__") else "nnef 1.0.10"

    def __init__(self, source: Path, entry: str, contract: Mapping[str, Any], out: Path) -> None:
        self._files = open_files(source, entry)
        self._contract = contract
        self._folder = Path(tempfile.mkdtemp(dir=out))
        self._session: Any | None = None

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        if self._session is None:
            self._session = self._open(feeds, None)
        found = self._execute(self._session, feeds)
        return {each["name"]: found[each["source"]] for each in self._contract["outputs"]}

    def layers(self, feeds: dict[str, Any]) -> dict[str, Any]:
        graph = self._parsed(feeds)
        made = {name for op in graph.operations if op.name not in ("external", "variable", "constant")
                for each in op.outputs.values() for name in (each if isinstance(each, list) else [each])}  # fmt: skip
        names = [name for name in graph.tensors if name in made]
        found = self._execute(self._open(feeds, names), feeds)
        return {name: found[name] for name in names}

    def __del__(self) -> None:
        shutil.rmtree(str(self._folder), ignore_errors=True)

    def _execute(self, session: Any, feeds: dict[str, Any]) -> dict[str, Any]:
        handle, unused, inputs, outputs = session
        ports = {each["source"]: each for each in self._contract["inputs"]}
        given = [
            np.ascontiguousarray(feeds[ports[name]["name"]], _FED[_kind(ports[name])])
            if name in ports
            else unused[name]
            for name in inputs
        ]
        try:
            found = _nnef.execute_session(handle, tuple(given))
        except ValueError as error:
            raise Refused("Khronos' runtime does not execute it: " + str(error), "unsupported", hint=_GOLDEN) from error
        return dict(zip(outputs, found, strict=True))

    def _open(self, feeds: dict[str, Any], outputs: list[str] | None) -> Any:
        text = self._text(feeds)
        head = _HEAD.search(text)
        if head is None:
            raise Refused("the graph has no head")
        wanted = outputs or [each["source"] for each in self._contract["outputs"]]
        text = _HEAD.sub(rf"graph \1(\2) -> ({', '.join(wanted)})", text)
        if QUANTISATION in self._files:
            raise Refused("Khronos' runtime does not quantise", "unsupported", hint=_GOLDEN)
        if any(op.name == "debox" and op.attribs["normalize"] for op in self._parsed(feeds).operations):
            raise Refused(
                "Khronos' runtime divides the input of a normalised debox, not its result", "unsupported", hint=_GOLDEN
            )
        _unpack(self._files, self._folder, text)
        try:
            handle = _nnef.create_session(str(self._folder), lowered=_OPENED + _FRAGMENT.findall(text))
        except (ValueError, nnef.Error) as error:
            raise Refused("Khronos' runtime does not take it: " + str(error), "unsupported", hint=_GOLDEN) from error
        inputs = [each.strip() for each in head.group(2).split(",") if each.strip()]
        return handle, self._unused(feeds, inputs), inputs, wanted

    def _unused(self, feeds: dict[str, Any], inputs: list[str]) -> dict[str, Any]:
        """Zeros for inputs that no output needs: the contract does not have them."""
        ports = {each["source"] for each in self._contract["inputs"]}
        if ports.issuperset(inputs):
            return {}
        declared = {op.outputs["output"]: op for op in self._parsed(feeds).operations if op.name == "external"}
        return {
            name: np.zeros(op.attribs["shape"], _FED[op.dtype]) for name, op in declared.items() if name not in ports
        }

    def _parsed(self, feeds: dict[str, Any]) -> Any:
        try:
            return nnef.parse_string(self._text(feeds), lowered=[])
        except (ValueError, nnef.Error) as error:
            raise Refused("Khronos' parser does not take it: " + str(error), "unsupported", hint=_GOLDEN) from error

    def _text(self, feeds: dict[str, Any]) -> str:
        """graph.nnef, every input declared with the shape that it is fed."""
        text = plain(self._files.read(self._files.graph).decode())
        for each in self._contract["inputs"]:
            shape = ", ".join(map(str, feeds[each["name"]].shape))
            found = rf"\b{re.escape(each['source'])}\s*=\s*(tract_core_)?external\s*(<\w+>)?\s*\([^)]*\)"
            text = re.sub(found, f"{each['source']} = external<{_kind(each)}>(shape = [{shape}])", text)
        return text


def _kind(port: Mapping[str, Any]) -> str:
    kind = _TYPES.get(port["dtype"])
    if kind is None:
        raise Refused(f"Khronos' runtime has no {port['dtype']}", "unsupported", hint=_GOLDEN)
    return kind


def _unpack(files: Files, folder: Path, text: str) -> None:
    """Names that would lead out of the folder are left out."""
    for name in files.names:
        place = folder / name
        if name.endswith(".dat") and folder.resolve() in place.resolve().parents:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(files.read(name))
    (folder / GRAPH).write_text(text)

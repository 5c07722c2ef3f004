"""For each backend whose runtime takes a model from memory: the program that an encrypted artefact is loaded with."""

from __future__ import annotations

from pathlib import Path

PROGRAM = "load_encrypted.py"  # what it is called in the artefact
# Backend -> what else stays readable there, besides PLAIN: a name, or a folder with a slash.
LOADERS: dict[str, tuple[str, ...]] = {"onnxruntime": (), "openvino": (), "ncnn": (), "tvm": ("runner", "lib/")}
PLAIN = ("run.json", "contract.json", "preprocess.py", "preprocess.h", "postprocess.py", "LICENSES/")


def loader(backend: str) -> Path:
    return Path(__file__).with_name(f"{backend}.py")


def stays_plain(backend: str, name: str) -> bool:
    """Whatever is not known to hold nothing of the model is encrypted."""
    return any(name == each or (each.endswith("/") and name.startswith(each)) for each in (*PLAIN, *LOADERS[backend]))

"""Which file of a folder is the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from dlpipe_worker import Refused

from . import foreign
from .found import Found, unknown

# In this order: the first kind of which there is one is the model; of several, the one with a name of the second list.
_MAIN = (
    (("*.onnx",), ()),
    (("*.prototxt",), ("deploy.prototxt", "*deploy*.prototxt", "*test*.prototxt")),
    (("*predict*.pb", "*predict*.pbtxt"), ("predict_net.pb",)),
    (("*-symbol.json",), ()),
    (("*.cfg",), ()),
    (("*.param",), ()),
    (("*.pdmodel", "__model__", "inference.json"), ("inference.pdmodel", "model.pdmodel", "__model__")),
    (("*.meta",), ()),
    (("*.pb",), ("frozen_inference_graph.pb",)),
    (("*.mdl", "*.raw"), ("final.mdl", "final.raw")),
    (("*.json",), ()),
    (("*.keras", "*.tflite", "*.pt2", "*.mnn", "*.ort", "*.h5", "*.hdf5"), ()),
    (("*.pt", "*.pth", "*.th", "*.jit"), ()),
    (("*.caffemodel", "*.params", "*.weights"), ()),
)
_NOT_MAIN = ("solver.prototxt", "*solver*.prototxt", "config.json", "*.pdiparams.info", "synset.json")


def in_folder(path: Path, look: Callable[[Path], Found]) -> Found:
    """`look` says what a file is. Raises Refused for a folder that looks like a format and is not whole."""
    if (path / "saved_model.pb").is_file():
        found = look(path / "saved_model.pb")
        if found.form != "tensorflow/saved-model":
            raise Refused(f"saved_model.pb is {found.form}, not a SavedModel: {found.title}")
        return found.at(None)  # the folder itself is the model
    if (path / "graph.nnef").is_file():
        return Found("nnef/folder", "an NNEF folder")
    if (path / "metadata").is_dir():
        return _spark(path)
    return foreign.in_folder(path) or _main_file(path, look)


_SPARK = ("org.apache.spark.ml.", "pyspark.ml.")  # Python's own writer saves what holds a stage of Python's, OneVsRest


def _spark(path: Path) -> Found:
    parts = sorted((path / "metadata").glob("part-*"))
    try:
        about = json.loads(parts[0].read_text(encoding="utf-8").splitlines()[0]) if parts else {}
    except (OSError, ValueError, IndexError, RecursionError):
        about = {}
    name = about.get("class") if isinstance(about, dict) else None
    if not isinstance(name, str) or not name.startswith(_SPARK):
        return unknown("a folder with metadata that is not a saved Spark model's")
    version = about.get("sparkVersion")
    return Found(
        "spark/pipeline",
        f"a saved Spark {name.rpartition('.')[2]}",
        version=version if isinstance(version, str) else None,
        operators={name.rpartition(".")[2]: 1},
    )


def _main_file(path: Path, look: Callable[[Path], Found]) -> Found:
    for patterns, preferred in _MAIN:
        files = {file for pattern in patterns for file in path.glob(pattern) if file.is_file()}
        files -= {file for pattern in _NOT_MAIN for file in path.glob(pattern)}
        chosen = next((file for pattern in preferred for file in sorted(path.glob(pattern)) if file in files), None)
        if chosen is None and len(files) > 1:
            names = ", ".join(sorted(file.name for file in files)[:5])
            return unknown(f"a folder with {len(files)} files that could be the model ({names}): name one of them")
        if files:
            file = chosen or files.pop()
            found = look(file)
            if not found.form.startswith(("unknown", "archive/")):
                return found.at(found.entry or file.name)
    holds = ", ".join(sorted(each.name for each in path.iterdir())[:5]) or "nothing"
    return unknown(f"a folder that holds no model it knows (it holds {holds})")

"""What a room under `frontends/` provides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from dlpipe.contracts.call import Call


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What the content of a file or folder is, read in the jail without any framework."""

    format: str  # e.g. "tensorflow/graphdef", "tensorflow/saved-model", "onnx/model", "caffe2/netdef", "unknown"
    framework: str
    entry: str  # the main file, relative to the source folder ("." when the folder itself is the model)
    version: str | None = None
    operators: Mapping[str, int] = field(default_factory=dict)
    risks: tuple[str, ...] = ()
    reason: str | None = None  # why it was taken for this (or, for "unknown", what was tried)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user settled by hand. Empty means: find it in the file."""

    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # name -> {"shape": [...], "dtype": ...}
    outputs: tuple[str, ...] = ()
    dims: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class Frontend(Protocol):
    """Inputs and outputs of the calls are folders (see `Call`):

    - import_call: source -> `model.onnx`, `contract.json` (+ what preprocessing needs to stay executable)
    - preprocess_call: imported, data -> `samples.npz` at the boundary where the ONNX model begins; what was cut off
      travels with the IR and with every artefact, so the original file is not needed
    - reference_call: source, imported, samples -> `outputs.npz`, made by the original in its own framework
    """

    name: str
    formats: tuple[str, ...]
    toolchain: str

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call: ...

    def preprocess_call(self) -> Call: ...

    def reference_call(self, sniffed: Sniffed) -> Call | None: ...

    def timing_call(self, sniffed: Sniffed) -> Call | None: ...

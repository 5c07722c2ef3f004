"""What a room under `frontends/` provides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported


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
    unsafe_load: bool = False  # the user allows formats that execute code by design
    factory: str | None = None  # "module:function" that builds the network whose weights the file holds
    preprocess: str | None = None  # how pictures become the input, as `ir/picture.py` reads it
    route: str | None = None  # of `Frontend.routes`: the converter that the user insists on


@runtime_checkable
class Frontend(Protocol):
    """Derive from it: what has a body here is optional. Inputs and outputs of the calls are folders (see `Call`).

    `operators`, where there is one: params none -> value {"operators": {name: {"support": "full" | "partial" | "none",
    "note": str or None}}, "source": which list of the framework's operators this is held against}.
    """

    name: str
    formats: tuple[str, ...]
    toolchain: str

    def routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        """The converters that take this file, the preferred one first. The next one is tried where one fails or its
        result departs from the original. Empty: there is one, and it has no name."""
        del sniffed
        return ()

    def asked_routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        """Further routes, taken only on the user's word: they rest on what the file does not say."""
        del sniffed
        return ()

    def sniff_call(self, entry: str) -> Call | None:
        """source -> value: the fields of `Sniffed` that are known, or None where it is not this format. For frontends
        of other packages: asked for what dlpipe itself does not know."""
        del entry
        return None

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        """source -> `model.onnx`, `contract.json` (+ what preprocessing needs to stay executable)."""
        ...

    def preprocess_call(self) -> Call:
        """imported, data -> `samples.npz` at the boundary where the ONNX model begins; what was cut off travels with
        the IR and with every artefact, so the original file is not needed."""
        raise Unsupported(f"a {self.name} model carries no preprocessing")

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call | None:
        """source, imported, samples -> `outputs.npz`. Value: {"tool", "kind": "original", the default, made by the
        model's own framework, "independent", by another implementation, or "own", by dlpipe's}. None: nothing can
        execute the original here."""
        ...

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call | None:
        """source, imported, samples -> `layers.npz` ("0", "1", ...) of sample 0, in the order of execution; value:
        {"layers": [their names in the original], "tool"}. Used to name the layer at which a wrong import departs."""
        del sniffed, options
        return None

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call | None:
        """source, imported, samples -> seconds of runs (see `measure/timing.py`)."""
        ...

    def operators_call(self) -> Call | None:
        """What of the framework's operators this frontend covers, told by the running converter."""
        return None

"""TensorFlow: frozen GraphDefs and checkpoints (with their `.meta`) of TensorFlow 1, and SavedModels of 1 and 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.room import RoomFrontend

OPSET = 18  # tf2onnx refuses a newer one


class TensorFlowFrontend(RoomFrontend):
    name = "tensorflow"
    formats = ("tensorflow/graphdef", "tensorflow/graphdef-text", "tensorflow/saved-model", "tensorflow/metagraph")
    toolchain = "tensorflow"
    room = Path(__file__).parent
    libraries = ()

    def of_import(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        return {**super().of_import(sniffed, options), "opset": OPSET}

    def preprocess_call(self) -> Call:
        return self._call("preprocess", {})

    def end_to_end_call(self, sniffed: Sniffed) -> Call:
        """The uncut original, fed with the user's files: the proof that cutting lost nothing."""
        return self._call("end_to_end", self.common(sniffed, ImportOptions()))

    def describe_call(self, sniffed: Sniffed) -> Call:
        return self._call("describe", self.common(sniffed, ImportOptions()))

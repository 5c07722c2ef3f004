"""TensorFlow: frozen GraphDefs and checkpoints (with their `.meta`) of TensorFlow 1, and SavedModels of 1 and 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed

WORKER = Path(__file__).with_name("worker.py")
OPSET = 18  # tf2onnx refuses a newer one


class TensorFlowFrontend(Frontend):
    """See `worker.py` for what each operation reads and writes."""

    name = "tensorflow"
    formats = ("tensorflow/graphdef", "tensorflow/graphdef-text", "tensorflow/saved-model", "tensorflow/metagraph")
    toolchain = "tensorflow"

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call(
            "import",
            sniffed,
            inputs={name: dict(each) for name, each in options.inputs.items()},
            outputs=list(options.outputs),
            dims=dict(options.dims),
            opset=OPSET,
        )

    def preprocess_call(self) -> Call:
        return Call(self.toolchain, WORKER, "preprocess")

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._call("reference", sniffed)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._call("layers", sniffed)

    def end_to_end_call(self, sniffed: Sniffed) -> Call:
        """The uncut original, fed with the user's files: the proof that cutting lost nothing."""
        return self._call("end_to_end", sniffed)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._call("time", sniffed, "hardware", threads=1)

    def operators_call(self) -> Call:
        return Call(self.toolchain, WORKER, "operators")

    def describe_call(self, sniffed: Sniffed) -> Call:
        return self._call("describe", sniffed)

    def _call(self, operation: str, sniffed: Sniffed, stage_class: StageClass = "deterministic", **params: Any) -> Call:
        params = {"entry": sniffed.entry, "format": sniffed.format, **params}
        return Call(self.toolchain, WORKER, operation, params, stage_class=stage_class)

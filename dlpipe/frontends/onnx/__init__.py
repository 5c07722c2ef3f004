"""ONNX files. Their reference is ONNX Runtime on the file as it came, before any pass touched it."""

from __future__ import annotations

from dataclasses import replace

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.errors import Unsupported
from dlpipe.ir import calls


class OnnxFrontend(Frontend):
    name = "onnx"
    formats = ("onnx/model",)
    toolchain = "core"

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        if options.inputs or options.outputs:
            raise Unsupported("an ONNX file names its inputs and outputs itself", hint="leave --input and --output out")
        return calls.import_call(sniffed.entry)

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del sniffed, options
        return _on_imported(calls.run_call(optimisation="none"))

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del sniffed, options
        return _on_imported(calls.time_call())


def _on_imported(call: Call) -> Call:
    """The same operation, reading the input that every frontend's stage calls `imported`."""
    return replace(call, params={**call.params, "ir": "imported"})

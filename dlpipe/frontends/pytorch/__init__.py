"""PyTorch: ExportedProgram (.pt2), TorchScript, weights (state dicts) with the code that builds the network, pickled
modules.

- `.pt2` and TorchScript hold the whole network. What a file does not record (TorchScript: the shapes of its inputs) is
  found by trial and said, or asked for: `--input x:1x3x224x224`; a number that `forward` takes: `--shape sr=16000`.
- Weights alone need `--factory module:function` (or FILE.py:function): Python code beside the model or in the working
  folder that returns the network, or (network, example inputs). It runs in the jail only, with the packages of the
  toolchain (torch, numpy) and no other.
- A pickled module executes code when it is read, so it needs `--unsafe-load`, and its class's file (`--factory
  FILE.py:CLASS`).
- The batch is free (`N`) where the original computes samples apart from each other and the export does too; the other
  dims are those of the example. States that a TorchScript program keeps in attributes become inputs and outputs.
- Routes: `dynamo` (torch.export and its ONNX exporter, opset 18), `torchscript` (the older exporter, opset 17), `trace`
  (operator by operator, for one shape).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")
_ROUTES = {
    "pytorch/pt2": ("dynamo", "trace"),
    "pytorch/torchscript": ("torchscript", "trace"),
}
_OF_MODULES = ("dynamo", "torchscript", "trace")


class PyTorchFrontend(Frontend):
    """See `worker.py` for what each operation reads and writes."""

    name = "pytorch"
    formats = ("pytorch/pt2", "pytorch/torchscript", "pytorch/state-dict", "pytorch/module")
    toolchain = "pytorch"

    def routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        return _ROUTES.get(sniffed.format, _OF_MODULES)

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        route = options.route or self.routes(sniffed)[0]
        return self._call("import", sniffed, options, outputs=list(options.outputs), route=route)

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call("reference", sniffed, options)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call("layers", sniffed, options)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call("time", sniffed, options, "hardware", threads=1)

    def operators_call(self) -> Call:
        return Call(self.toolchain, WORKER, "operators", libraries=(KIT,))

    def _call(
        self,
        operation: str,
        sniffed: Sniffed,
        options: ImportOptions,
        stage_class: StageClass = "deterministic",
        **more: Any,
    ) -> Call:
        params = {
            "entry": sniffed.entry,
            "format": sniffed.format,
            "inputs": {name: dict(each) for name, each in options.inputs.items()},
            "dims": dict(options.dims),
            "unsafe_load": options.unsafe_load,
            "factory": options.factory,
            **more,
        }
        return Call(self.toolchain, WORKER, operation, params, libraries=(KIT,), stage_class=stage_class)

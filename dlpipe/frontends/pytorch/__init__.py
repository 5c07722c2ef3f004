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

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends import inputs_of
from dlpipe.frontends.room import RoomFrontend

_ROUTES = {
    "pytorch/pt2": ("dynamo", "trace"),
    "pytorch/torchscript": ("torchscript", "trace"),
}
_OF_MODULES = ("dynamo", "torchscript", "trace")


class PyTorchFrontend(RoomFrontend):
    name = "pytorch"
    formats = ("pytorch/pt2", "pytorch/torchscript", "pytorch/state-dict", "pytorch/module")
    toolchain = "pytorch"
    room = Path(__file__).parent

    def routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        return _ROUTES.get(sniffed.format, _OF_MODULES)

    def common(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        network = {"inputs": inputs_of(options), "dims": dict(options.dims), "factory": options.factory}
        return {**super().common(sniffed, options), **network, "unsafe_load": options.unsafe_load}

    def of_import(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        return {"outputs": list(options.outputs), "route": options.route or self.routes(sniffed)[0]}

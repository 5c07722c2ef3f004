"""MXNet and Gluon: *-symbol.json with its *.params, of all versions from 0.5 to 1.9.

Routes: `own`, dlpipe's converter, and `exporter`, the one that comes with MXNet 1.9.1 (mx.onnx), which gives wrong
numbers for stacked LSTMs and is tried only where the first fails or the user asks for it.

Limits: models of MXNet 2 (np and npx operators, zip archives of weights), sparse arrays, control flow (foreach,
while_loop, cond), quantised operators and Custom operators are refused. A symbol mostly does not say the size of its
input: it is inferred from the weights, or chosen among the usual sizes and said so; `--input` settles it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.room import ParsedFrontend

OWN, EXPORTER = "own", "exporter"


class MxnetFrontend(ParsedFrontend):
    name = "mxnet"
    formats = ("mxnet/symbol",)
    toolchain = "mxnet"
    room = Path(__file__).parent

    def routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        del sniffed
        return (OWN, EXPORTER)

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        call = super().import_call(sniffed, options)
        if options.route != EXPORTER:
            return call
        return replace(call, toolchain=self.toolchain, worker=self.room / "executor.py")

    def of_original(self, options: ImportOptions) -> dict[str, Any]:
        return {"outputs": list(options.outputs)}

"""MXNet and Gluon: *-symbol.json with its *.params, of all versions from 0.5 to 1.9.

Routes: `own`, dlpipe's converter, and `exporter`, the one that comes with MXNet 1.9.1 (mx.onnx), which gives wrong
numbers for stacked LSTMs and is tried only where the first fails or the user asks for it.

Limits: models of MXNet 2 (np and npx operators, zip archives of weights), sparse arrays, control flow (foreach,
while_loop, cond), quantised operators and Custom operators are refused. A symbol mostly does not say the size of its
input: it is inferred from the weights, or chosen among the usual sizes and said so; `--input` settles it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")  # core: no MXNet
EXECUTOR = Path(__file__).with_name("executor.py")  # MXNet itself
OWN, EXPORTER = "own", "exporter"


class MxnetFrontend(Frontend):
    """See `worker.py` and `executor.py` for what each operation reads and writes."""

    name = "mxnet"
    formats = ("mxnet/symbol",)
    toolchain = "mxnet"

    def routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        del sniffed
        return (OWN, EXPORTER)

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        own = options.route != EXPORTER
        params = {
            "entry": sniffed.entry,
            "inputs": {name: dict(each) for name, each in options.inputs.items()},
            "outputs": list(options.outputs),
            "dims": dict(options.dims),
        }
        return Call("core" if own else self.toolchain, WORKER if own else EXECUTOR, "import", params, libraries=(KIT,))

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._execute("reference", sniffed, options)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._execute("layers", sniffed, options)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._execute("time", sniffed, options, "hardware", threads=1)

    def operators_call(self) -> Call:
        return Call("core", WORKER, "operators", libraries=(KIT,))

    def _execute(
        self,
        operation: str,
        sniffed: Sniffed,
        options: ImportOptions,
        stage_class: StageClass = "deterministic",
        **params: Any,
    ) -> Call:
        given = {"entry": sniffed.entry, "outputs": list(options.outputs), **params}
        return Call(self.toolchain, EXECUTOR, operation, given, libraries=(KIT,), stage_class=stage_class)

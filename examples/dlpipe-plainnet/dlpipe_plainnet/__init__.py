"""plainnet: fully connected nets as JSON, {"plainnet": 1, "input": n, "layers": [{"name", "weights", "bias", "relu"}]}.

Host side: nothing of the model is read here, and nothing heavy imported.
"""

from __future__ import annotations

from pathlib import Path

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")


class PlainnetFrontend(Frontend):
    name = "plainnet"
    formats = ("plainnet/json",)
    toolchain = "core"

    def sniff_call(self, entry: str) -> Call:
        return self._call("sniff", entry)

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call("import", sniffed.entry, dims=dict(options.dims))

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call("reference", sniffed.entry)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call("layers", sniffed.entry)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call("time", sniffed.entry)

    def _call(self, operation: str, entry: str, **params: object) -> Call:
        return Call(self.toolchain, WORKER, operation, {"entry": entry, **params}, libraries=(KIT,))

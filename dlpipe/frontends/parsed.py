"""Frontends of formats that dlpipe parses itself: `worker.py` in the core toolchain, without the framework.

What runs the originals, the framework or another implementation, is `executor.py` in the toolchain of the frontend.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT


class ParsedFrontend(Frontend):
    """`room`: the folder of both files, which say what each operation reads and writes."""

    room: ClassVar[Path]

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        params = {
            "entry": sniffed.entry,
            "inputs": {name: dict(each) for name, each in options.inputs.items()},
            "outputs": list(options.outputs),
            "dims": dict(options.dims),
        }
        return Call("core", self.room / "worker.py", "import", params, libraries=(KIT,))

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._original("reference", sniffed)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._original("layers", sniffed)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._original("time", sniffed, "hardware", threads=1)

    def operators_call(self) -> Call:
        return Call("core", self.room / "worker.py", "operators", libraries=(KIT,))

    def _original(
        self, operation: str, sniffed: Sniffed, stage_class: StageClass = "deterministic", **params: Any
    ) -> Call:
        given = {"entry": sniffed.entry, **params}
        executor = self.room / "executor.py"
        return Call(self.toolchain, executor, operation, given, libraries=(KIT,), stage_class=stage_class)

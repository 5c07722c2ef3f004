"""What the frontends of most frameworks have in common: their files lie in one room, and so do their parameters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT, inputs_of


class RoomFrontend(Frontend):
    """The framework imports and runs its models itself: `room / "worker.py"`, which says what each operation reads and
    writes, in its toolchain."""

    room: ClassVar[Path]
    libraries: ClassVar[tuple[Path, ...]] = (KIT,)

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call("import", {**self.common(sniffed, options), **self.of_import(sniffed, options)})

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._original("reference", sniffed, options)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call | None:
        return self._original("layers", sniffed, options)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call | None:
        return self._original("time", sniffed, options, "hardware", threads=1)

    def operators_call(self) -> Call:
        return self._call("operators", {})

    def common(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        """What every operation on the file is told."""
        del options
        return {"entry": sniffed.entry, "format": sniffed.format}

    def of_import(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        """What the import is told beyond that."""
        del sniffed
        return {"inputs": inputs_of(options), "outputs": list(options.outputs), "dims": dict(options.dims)}

    def of_original(self, options: ImportOptions) -> dict[str, Any]:
        """What running the original is told beyond that."""
        del options
        return {}

    def runs(self, call: Call, sniffed: Sniffed) -> Call:
        """Where the original is run, if it is elsewhere."""
        del sniffed
        return call

    def _original(
        self,
        operation: str,
        sniffed: Sniffed,
        options: ImportOptions,
        stage_class: StageClass = "deterministic",
        **more: Any,
    ) -> Call:
        params = {**self.common(sniffed, options), **self.of_original(options), **more}
        return self.runs(self._call(operation, params, stage_class), sniffed)

    def _call(self, operation: str, params: dict[str, Any], stage_class: StageClass = "deterministic") -> Call:
        worker = self.room / "worker.py"
        return Call(self.toolchain, worker, operation, params, libraries=self.libraries, stage_class=stage_class)


class ParsedFrontend(RoomFrontend):
    """Of a format that dlpipe parses itself: `worker.py` runs in the core toolchain, without the framework.

    What runs the originals, the framework or another implementation, is `executor.py` in the frontend's toolchain.
    """

    def common(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        del options
        return {"entry": sniffed.entry}

    def runs(self, call: Call, sniffed: Sniffed) -> Call:
        del sniffed
        return replace(call, toolchain=self.toolchain, worker=self.room / "executor.py")

    def _call(self, operation: str, params: dict[str, Any], stage_class: StageClass = "deterministic") -> Call:
        return replace(super()._call(operation, params, stage_class), toolchain="core")

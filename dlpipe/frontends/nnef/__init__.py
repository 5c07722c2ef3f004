"""NNEF 1.0: a folder with graph.nnef and its .dat files, an archive of one, or the text alone.

The parser and the converter are dlpipe's own; Khronos' runtime (the package `nnef`) runs the original. What to know:

- Fragments, tuples, arrays, comprehensions and operator expressions are evaluated; an operation without a body that
  the standard does not have is refused by its name. Of tract's extensions those with an exact counterpart are taken.
- Names written by `extension tract_symbol` are free dims; `--shape` sets them.
- `scalar` is float32, `integer` int64, `logical` bool. `graph.quant` becomes QuantizeLinear/DequantizeLinear for eight
  bits, and the same arithmetic in floating point for any other number of bits.
- What Khronos' runtime does not execute (fragments it cannot lower, operations it lacks) has no reference: give golden
  outputs with `--reference`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")
EXECUTOR = Path(__file__).with_name("executor.py")
ORIGINAL = "nnef"  # the toolchain that runs originals


class NnefFrontend(Frontend):
    """See `worker.py` and `executor.py` for what each operation reads and writes."""

    name = "nnef"
    formats = ("nnef/folder", "nnef/archive", "nnef/text")
    toolchain = "core"

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        params = {
            "entry": sniffed.entry,
            "inputs": {name: dict(each) for name, each in options.inputs.items()},
            "outputs": list(options.outputs),
            "dims": dict(options.dims),
        }
        return Call(self.toolchain, WORKER, "import", params, libraries=(KIT,))

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
        return Call(self.toolchain, WORKER, "operators", libraries=(KIT,))

    def _original(
        self, operation: str, sniffed: Sniffed, stage_class: StageClass = "deterministic", **params: Any
    ) -> Call:
        params = {"entry": sniffed.entry, **params}
        return Call(ORIGINAL, EXECUTOR, operation, params, stage_class=stage_class, libraries=(KIT,))

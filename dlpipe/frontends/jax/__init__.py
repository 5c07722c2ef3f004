"""JAX: functions that `jax.export` wrote to a file, and functions of the user's Python code.

- Code: `dlpipe import net.py --factory net:build`. `build` returns the function of the model (a flax.nnx module will
  do), or (function, example inputs); or it is that function itself, and `--input x:1x3x32x32` gives its inputs. It runs
  in the jail only, with the packages of the toolchain (jax, flax, numpy) and no other.
- Routes: `jax2onnx` (Python functions; keeps the batch free), `stablehlo` (our own translation of the program that JAX
  hands to its compiler, for fixed shapes; the only one for exported files: a polymorphic batch becomes 1, or what
  `--shape b=4` says).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")


class JaxFrontend(Frontend):
    """See `worker.py` for what each operation reads and writes."""

    name = "jax"
    formats = ("jax/export", "jax/python", "python/source")
    toolchain = "jax"

    def routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        return ("stablehlo",) if sniffed.format == "jax/export" else ("jax2onnx", "stablehlo")

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        route = options.route or self.routes(sniffed)[0]
        return self._call("import", sniffed, options, outputs=list(options.outputs), route=route)

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call("reference", sniffed, options)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call | None:
        """An exported function is compiled as a whole: there is nothing to look into."""
        return None if sniffed.format == "jax/export" else self._call("layers", sniffed, options)

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
            "factory": options.factory,
            **more,
        }
        return Call(self.toolchain, WORKER, operation, params, libraries=(KIT,), stage_class=stage_class)

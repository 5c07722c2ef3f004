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

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends import inputs_of
from dlpipe.frontends.room import RoomFrontend


class JaxFrontend(RoomFrontend):
    name = "jax"
    formats = ("jax/export", "jax/python", "python/source")
    toolchain = "jax"
    room = Path(__file__).parent

    def routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        return ("stablehlo",) if sniffed.format == "jax/export" else ("jax2onnx", "stablehlo")

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call | None:
        """An exported function is compiled as a whole: there is nothing to look into."""
        return None if sniffed.format == "jax/export" else super().layers_call(sniffed, options)

    def common(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        network = {"inputs": inputs_of(options), "dims": dict(options.dims), "factory": options.factory}
        return {**super().common(sniffed, options), **network}

    def of_import(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        return {"outputs": list(options.outputs), "route": options.route or self.routes(sniffed)[0]}

"""Which operations of StableHLO our translation takes, told by its own table of handlers."""

from __future__ import annotations

from typing import Any

import jax

from . import control, elementwise, indexing, linear, reducing, shaping  # noqa: F401 - they register their handlers
from .hlo import HANDLERS

_SOURCE = "jaxlib {version}: the operations of its StableHLO dialect; `jax2onnx` is tried before where it can be"
_PARTIAL = {
    "stablehlo.bitcast_convert": None,
    "stablehlo.case": "two branches",
    "stablehlo.convolution": "without groups of the batch and reversed windows",
    "stablehlo.custom_call": "markers only: no routine of XLA's own",
    "stablehlo.if": "two branches",
    "stablehlo.reduce": "sum, product, maximum, minimum, and, or, argmax, argmin",
    "stablehlo.reduce_window": "sum, maximum and minimum of floats, over three axes at most",
    "stablehlo.scatter": "whole rows at constant indices",
    "stablehlo.sort": "one tensor, perhaps with its positions",
}


def coverage() -> dict[str, Any]:
    """See `Frontend.operators_call`."""
    from jaxlib.mlir.dialects import stablehlo

    names = sorted(
        {
            name
            for each in vars(stablehlo).values()
            if isinstance(name := getattr(each, "OPERATION_NAME", None), str) and name.startswith("stablehlo.")
        }
        - {"stablehlo.return"}  # the end of a region, not an operation by itself
    )
    found = {}
    for name in names:
        note = _PARTIAL.get(name)
        support = (
            "none" if name not in HANDLERS or (name in _PARTIAL and note is None) else "partial" if note else "full"
        )
        found[name] = {"support": support, "note": note}
    return {"operators": found, "source": _SOURCE.format(version=jax.lib.__version__)}

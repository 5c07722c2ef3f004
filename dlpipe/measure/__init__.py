"""Is it still the same model, how good is it, how fast: the calls that measure, and the statistics behind them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dlpipe.contracts.call import Call
from dlpipe.measure.tolerances import tolerance_of

_WORKER = Path(__file__).with_name("worker.py")


def fidelity_call(variant: str, resolution: Mapping[str, Mapping[str, float]] | None = None) -> Call:
    """Inputs: `reference`, `candidate` (folders with outputs.npz). Value: `Fidelity` without `vs`.

    variant: the precision the candidate computes in ("fp32", "fp16", "int8" ...); it settles the tolerance.
    resolution: output -> how finely the original itself resolves it (see `tolerances.py`).
    """
    params = tolerance_of(variant).params()
    return Call("core", _WORKER, "fidelity", {**params, "resolution": resolution} if resolution else params)


def accuracy_call(output: str | None = None) -> Call:
    """Inputs: `candidate` (outputs.npz), `labels` (labels.json), optionally `reference` (the original's outputs.npz).

    Value: `Accuracy` (top-1). output: the name of the output that holds the classes' scores.
    """
    return Call("core", _WORKER, "accuracy", {"output": output})


__all__ = ["accuracy_call", "fidelity_call"]

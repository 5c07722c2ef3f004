"""Is it still the same model, how good is it, how fast: the calls that measure, and the statistics behind them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.ir import ARRAYS, GRAPH
from dlpipe.measure.metric import TOP1, Metric, default_metric, parse_metric
from dlpipe.measure.tolerances import tolerance_of

_WORKER = Path(__file__).with_name("worker.py")
_ACCURACY = Path(__file__).with_name("accuracy.py")
_BISECT_WORKER = Path(__file__).with_name("bisect_worker.py")


def fidelity_call(variant: str, resolution: Mapping[str, Mapping[str, float]] | None = None) -> Call:
    """Inputs: `reference`, `candidate` (folders with outputs.npz). Value: `Fidelity` without `vs`.

    variant: the precision the candidate computes in ("fp32", "fp16", "int8" ...); it settles the tolerance.
    resolution: output -> how finely the original itself resolves it (see `tolerances.py`).
    """
    params = tolerance_of(variant).params()
    given = {**params, "resolution": resolution} if resolution else params
    return Call("core", _WORKER, "fidelity", given, libraries=(ARRAYS,))


def accuracy_call(metric: Metric = TOP1) -> Call:
    """Inputs: `candidate` (outputs.npz), `labels` (labels.json, labels.npz), optionally `reference` (the original's
    outputs.npz), and `code` (of a metric of the user's own). Value: `Accuracy`."""
    return Call(metric.toolchain, _ACCURACY, "accuracy", metric.params(), libraries=(ARRAYS,))


def walk_call(
    limits: Mapping[str, Any],
    ports: Mapping[str, str],
    resolution: Mapping[str, Mapping[str, float]] | None = None,
) -> Call:
    """Inputs: `reference`, `candidate` (IR folders), `samples` (the reference's, few). Value: the first node of the
    candidate that departs (see `bisect_worker.walk`). limits: of a `Tolerance`, by `params`. ports: the candidate's
    inputs and outputs -> the reference's.
    """
    params = {
        "limits": dict(limits),
        "ports": dict(ports),
        "resolution": dict(resolution or {}),
    }
    return Call("core", _BISECT_WORKER, "walk", params, libraries=GRAPH, stage_class="hardware")


def values_call() -> Call:
    """Inputs: `ir`, `samples`. Output: layers.npz of sample 0. Value: {"layers": the nodes that made them}."""
    return Call("core", _BISECT_WORKER, "values", libraries=GRAPH, stage_class="hardware")


def strip_call() -> Call:
    """Inputs: `ir`, and `other` where a graph must share its weights. Output: the IR with noise in place of weights."""
    return Call("core", _BISECT_WORKER, "strip", libraries=GRAPH)


def skeleton_call() -> Call:
    """Input: `ir`. Value: what its nodes read and make (see `bisect_worker.skeleton`)."""
    return Call("core", _BISECT_WORKER, "skeleton", libraries=GRAPH)


__all__ = [
    "TOP1",
    "Metric",
    "accuracy_call",
    "default_metric",
    "fidelity_call",
    "parse_metric",
    "skeleton_call",
    "strip_call",
    "values_call",
    "walk_call",
]

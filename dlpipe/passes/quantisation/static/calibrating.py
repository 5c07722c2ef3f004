"""One run of the float model over the samples, of which is kept what ranges are found from."""

from collections.abc import Callable
from math import gcd, prod
from pathlib import Path

import onnx_ir as ir
from dlpipe_worker import Refused

from ....ir.graph import feeding
from . import ranges
from .extremes import Extremes, MeanExtremes
from .histogram import Histogram
from .observing import observe, parts
from .plan import Plan

# Values of a tensor that are counted over all samples, about: one of 32, but not fewer or more than these.
_SHARE, _FEWEST, _MOST = 32, 1 << 16, 1 << 20
_ENOUGH = 64  # samples that a tensor's histogram is made of at least; of all, where only the ends are kept


def calibrate(
    model: ir.Model, chosen: Plan, samples: Path, progress: Callable[[str, float | None], object], method: str
) -> dict[str, Extremes]:
    """What that method wants to know of each tensor that has a scale of its own, by name.

    A scale is to fit those of its tensors that are computed with. Values that are only moved on are left out: of a
    maximum only the greatest count. Raises Refused where a value is not finite.
    """
    moving = {unit.node for unit in chosen.units if unit.kind == "moving"}
    fitted: dict[ir.Value, list[ir.Value]] = {}
    for value, root in chosen.rounded.items():
        if not value.uses() or value.is_graph_output() or any(use.node not in moving for use in value.uses()):
            fitted.setdefault(root, []).append(value)
    count = feeding.Samples(samples, [str(port.name) for port in model.graph.inputs]).count
    kept = ranges.kept_for(method)
    enough = _ENOUGH if issubclass(kept, Histogram) else None
    each_sees = count // parts(count, enough)
    seen = {value: _empty(kept, value, each_sees) for values in fitted.values() for value in values}
    adding = {value: each.add for value, each in seen.items()}
    observe(model, adding, samples, progress, enough=enough, one_by_one=kept is MeanExtremes)
    for value, each in seen.items():
        if not each.is_finite:
            raise Refused(f"{value.name!r} is not finite on the samples: 8 bits have no range for it")
    return {str(root.name): kept.of([seen[value] for value in values]) for root, values in fitted.items()}


def _empty(kept: type[Extremes], value: ir.Value, samples: int) -> Extremes:
    maker = value.producer()
    clipped = maker is not None and maker.domain == "" and maker.op_type == "Relu"
    if issubclass(kept, Histogram):
        return kept(_every(value, samples), never_negative=clipped)
    return kept(never_negative=clipped)


def _every(value: ir.Value, samples: int) -> int:
    """n, of which each nth value is counted: it shares no factor with the tensor's size, so that in the course of the
    samples no row, column or channel is left out."""
    dims = [dim for dim in value.shape if isinstance(dim, int)] if value.shape is not None else []
    size = prod(dims)
    total = size * samples
    every = max(1, total // min(_MOST, max(_FEWEST, total // _SHARE)))
    return next(n for n in range(every, 0, -1) if gcd(n, size) == 1)

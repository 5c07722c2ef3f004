"""Reduction over axes."""

from __future__ import annotations

from ..step import Step, layer

_OPERATORS = ["ReduceSum", "ReduceL1", "ReduceSumSquare", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd",
              "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"]  # fmt: skip


@layer("Reduction")
def _reduction(step: Step) -> None:
    step.expect()
    kind, everything, factor = step.layer.integer(0), step.layer.integer(1, 1), step.layer.real(2, 1.0)
    given, keep, mended = step.layer.integers(3), step.layer.integer(4), step.layer.integer(5)
    if not 0 <= kind < len(_OPERATORS):
        step.unsupported(f"its operation {kind} is not converted")
    rank = step.rank()
    if not everything and given and not mended:
        step.unsupported("it is of an old version of ncnn, which counted axes in another way")
    axes = sorted({step.axis(each, rank) for each in given}) if not everything and given else list(range(1, rank + 1))
    made = step.node(_OPERATORS[kind], [step.value, step.ints(axes, "axes")], keepdims=int(bool(keep)))
    if len(axes) == rank and not keep:  # ncnn has no blob without an axis
        made = step.node("Unsqueeze", [made, step.ints([1], "one")])
    if factor != 1:
        if kind not in (0, 3):
            step.unsupported(f"its operation {kind} has a factor")
        made = step.node("Mul", [made, step.number(factor, "factor")])
    step.name_top(made)

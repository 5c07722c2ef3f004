"""Numbers of several blobs, or with constants."""

from __future__ import annotations

from ..step import Step, layer

# The operator, and whether its operands change places.
_BINARY = [("Add", False), ("Sub", False), ("Mul", False), ("Div", False), ("Max", False), ("Min", False),
           ("Pow", False), ("Sub", True), ("Div", True), ("Pow", True)]  # fmt: skip


@layer("BinaryOp", limits="the operations 0 to 9")
def _binary(step: Step) -> None:
    kind = step.layer.integer(0)
    if not 0 <= kind < len(_BINARY):
        step.unsupported(f"its operation {kind} is not converted")
    operator, swapped = _BINARY[kind]
    scalar = step.layer.integer(1)
    number = step.layer.real(2)
    if scalar:
        step.expect(1)
        operands = [step.value, step.number(number)]
    else:
        step.expect(2)
        operands = list(aligned(step, *step.inputs))
    step.out(operator, operands[::-1] if swapped else operands)


def aligned(step: Step, one: str, other: str) -> tuple[str, str]:
    """Of the same rank, as ncnn lines up blobs: a vector goes along the first axis where its size is that, else along
    the last; a matrix or an image gets its missing axis at the end."""
    ranks = step.rank(value=one), step.rank(value=other)
    if ranks[0] == ranks[1]:
        return one, other
    if ranks[0] > ranks[1]:
        return one, _widened(step, other, one)
    return _widened(step, one, other), other


def _widened(step: Step, small: str, large: str) -> str:
    old, rank = step.shape(small), step.rank(value=large)
    missing = rank - len(old)
    if len(old) > 1:
        return _unsqueezed(step, small, range(rank - missing + 1, rank + 1))
    first = step.shape(large)[0]
    if old[0] is None or first is None:
        step.size(None, "what it combines")
    if old[0] == first:
        return _unsqueezed(step, small, range(2, rank + 1))
    return _unsqueezed(step, small, range(1, rank))


def _unsqueezed(step: Step, value: str, axes: range) -> str:
    return step.node("Unsqueeze", [value, step.ints(list(axes), "axes")])


@layer("Eltwise")
def _eltwise(step: Step) -> None:
    step.expect(None)
    kind, coefficients = step.layer.integer(0), [float(each) for each in step.layer.array(1)]
    values = list(step.inputs)
    if len({tuple(step.shape(each)) for each in values}) > 1:
        step.unsupported("its blobs have different shapes")
    if coefficients and kind == 1:
        if len(coefficients) < len(values):
            step.fail(f"{len(coefficients)} coefficients for {len(values)} blobs")
        values = [
            value if factor == 1 else step.node("Mul", [value, step.number(factor, "coefficient")])
            for value, factor in zip(values, coefficients, strict=False)
        ]
    if kind not in (0, 1, 2):
        step.unsupported(f"its operation {kind} is not converted")
    if kind == 0:
        result = values[0]
        for each in values[1:]:
            result = step.node("Mul", [result, each])
        step.name_top(result)
    else:
        step.out("Sum" if kind == 1 else "Max", values)


@layer("Scale")
def _scale(step: Step) -> None:
    size, bias = step.layer.integer(0), step.layer.integer(1)
    if size == -233:
        step.expect(2)
        if step.rank(value=step.inputs[1]) != 1:
            step.unsupported("its second blob is not a vector")
        rank = step.rank()
        axes = range(2, rank + 1)
        factor = _unsqueezed(step, step.inputs[1], axes) if axes else step.inputs[1]
        if bias:
            step.unsupported("it has a bias and takes its scale from a blob")
        step.out("Mul", [step.value, factor])
        return
    step.expect(1)
    factors = step.per_channel(step.floats(size), "scale")
    if not bias:
        step.out("Mul", [step.value, factors])
        return
    scaled = step.node("Mul", [step.value, factors])
    step.out("Add", [scaled, step.per_channel(step.floats(size), "bias")])


@layer("Bias")
def _bias(step: Step) -> None:
    step.expect(1)
    step.out("Add", [step.value, step.per_channel(step.floats(step.layer.integer(0)), "bias")])

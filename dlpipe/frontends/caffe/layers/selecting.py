"""Layers that pick."""

from __future__ import annotations

from ..step import Shape, Step, count, layer, number


@layer("ArgMax")
def arg_max(step: Step) -> None:
    """Of equal numbers Caffe names the last. Without an axis: over the whole sample, index and value as channels."""
    step.expect()
    params = step.params("argmax_param")
    shape = step.shapes[0]
    value, k = step.inputs[0], params.top_k
    if params.axis is not None:
        axis = step.axis(params.axis, len(shape))
        size = number(shape[axis])
        _check(step, k, size)
        values, indices = _last_first(step, value, axis, size, k)
        result: Shape = [*shape[:axis], k, *shape[axis + 1 :]]
        step.out("Identity" if params.out_max_val else "Cast", [values if params.out_max_val else indices], result,
                 **({} if params.out_max_val else {"to": 1}))  # fmt: skip
        return
    size = count(shape[1:])
    _check(step, k, size)
    flat = step.reshape(value, shape, [shape[0], 1, size], None)
    values, indices = _last_first(step, flat, 2, size, k)
    # three axes at least, so that [N, 1 or 2, k] has as many axes as the bottom
    result = [shape[0], 2 if params.out_max_val else 1, k, *[1] * (len(shape) - 3)]
    made = step.node("Cast", [indices], to=1)
    if params.out_max_val:
        made = step.node("Concat", [made, values], axis=1)
    step.reshape(made, result[:3], result)


def _check(step: Step, k: int, size: int) -> None:
    if not 1 <= k <= size:
        step.fail(f"the top {k} of {size}")


def _last_first(step: Step, value: str, axis: int, size: int, k: int) -> tuple[str, str]:
    """The k largest and where they are, the last of equals first: ONNX names the first, so the axis is turned round."""
    turned = step.node(
        "Slice", [value, *(step.ints([each], what) for each, what in
                           ((-1, "start"), (-size - 1, "end"), (axis, "axis"), (-1, "step")))]
    )  # fmt: skip
    values, indices = step.nodes("TopK", [turned, step.ints([k], "k")], 2, axis=axis)
    return values, step.node("Sub", [step.ints([size - 1], "last"), indices])


@layer("BatchReindex")
def batch_reindex(step: Step) -> None:
    step.expect(2)
    number(step.shapes[0][0])
    number(step.shapes[1][0])
    index = step.node("Cast", [step.inputs[1]], to=7)
    if len(step.shapes[1]) != 1:
        index = step.reshape(index, step.shapes[1], [count(step.shapes[1])], None)
    step.out("Gather", [step.inputs[0], index], [count(step.shapes[1]), *step.shapes[0][1:]], axis=0)

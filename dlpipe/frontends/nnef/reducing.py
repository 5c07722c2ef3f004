"""Reductions: the dims stay, with size one. Normalisations built of them, and products of matrices."""

from __future__ import annotations

from .step import Step, Tensor, handles

_REDUCE = {"sum_reduce": "ReduceSum", "max_reduce": "ReduceMax", "min_reduce": "ReduceMin", "mean_reduce": "ReduceMean"}
_WHOLE = {"ReduceMean": "GlobalAveragePool", "ReduceMax": "GlobalMaxPool"}
_LOGICAL = {"any_reduce": "ReduceMax", "all_reduce": "ReduceMin"}
_INDEX = {"argmax_reduce": "ArgMax", "argmin_reduce": "ArgMin"}
_BOOL, _INT32 = 9, 6


@handles(*_REDUCE)
def _reduce(step: Step) -> Tensor:
    value = step.tensor("input")
    op = "ReduceMean" if step.args.get("normalize") is True else _REDUCE[step.op]
    rank = step.rank(value)
    if op in _WHOLE and 2 < rank < 6 and sorted(step.integers("axes")) == list(range(2, rank)):
        return step.result(_WHOLE[op], [value])  # what classifiers end in; backends know it by this name
    return step.result(op, [value, _axes(step, value)], keepdims=1, noop_with_empty_axes=1)


@handles(*_LOGICAL)
def _logical(step: Step) -> Tensor:
    value = step.tensor("input")
    numbers = step.emit("Cast", [value], to=_INT32)
    found = step.emit(_LOGICAL[step.op], [numbers, _axes(step, value)], keepdims=1, noop_with_empty_axes=1)
    return step.result("Cast", [found], to=_BOOL)


@handles(*_INDEX, limits="along one axis")
def _index(step: Step) -> Tensor:
    value = step.tensor("input")
    axes = step.axes("axes", step.rank(value))
    if len(axes) != 1:
        step.fail(f"the position of an extreme along {len(axes)} axes", "unsupported")
    return step.result(_INDEX[step.op], [value], axis=axes[0], keepdims=1)


@handles("moments")
def _moments(step: Step) -> tuple[Tensor, Tensor]:
    value = step.tensor("input")
    axes = _axes(step, value)
    mean = step.result("ReduceMean", [value, axes], 0, keepdims=1, noop_with_empty_axes=1)
    centred = step.emit("Sub", [value, mean])
    squared = step.emit("Mul", [centred, centred])
    return mean, step.result("ReduceMean", [squared, axes], 1, keepdims=1, noop_with_empty_axes=1)


@handles("softmax")
def _softmax(step: Step) -> Tensor:
    value = step.tensor("x")
    axes = step.axes("axes", step.rank(value))
    if len(axes) == 1:
        return step.result("Softmax", [value], axis=axes[0])
    at = step.ints(axes)
    most = step.emit("ReduceMax", [value, at], keepdims=1, noop_with_empty_axes=1)
    powers = step.emit("Exp", [step.emit("Sub", [value, most])])
    return step.result("Div", [powers, step.emit("ReduceSum", [powers, at], keepdims=1, noop_with_empty_axes=1)])


@handles("l1_normalization", "l2_normalization")
def _normalisation(step: Step) -> Tensor:
    value = step.tensor("input")
    op = "ReduceL1" if step.op.startswith("l1") else "ReduceL2"
    norm = step.emit(op, [value, _axes(step, value)], keepdims=1, noop_with_empty_axes=1)
    return step.result("Div", [value, floored(step, norm)])


def floored(step: Step, norm: Tensor) -> Tensor:
    """What a normalisation divides by: the norm and the bias, epsilon at least."""
    bias, epsilon = step.number("bias"), step.number("epsilon")
    if bias:
        norm = step.binary("Add", norm, bias)
    return step.binary("Max", norm, epsilon)


@handles("batch_normalization")
def _batch_normalisation(step: Step) -> Tensor:
    value = step.tensor("input")
    mean, variance, offset, scale = (step.tensor(each, value) for each in ("mean", "variance", "offset", "scale"))
    channels = step.shape(value)[1:2]
    if len(channels) == 1 and isinstance(channels[0], int):
        each = [_vector(step, one, channels[0]) for one in (scale, offset, mean, variance)]
        if all(each):
            names = [one for one in each if one]
            return step.result("BatchNormalization", [value, *names], epsilon=step.number("epsilon"))
    deviation = step.emit("Sqrt", [step.binary("Add", variance, step.number("epsilon"))])
    centred = step.emit("Sub", step.aligned(value, mean))
    scaled = step.emit("Div", step.aligned(step.emit("Mul", step.aligned(scale, centred)), deviation))
    return step.result("Add", step.aligned(offset, scaled))


def _vector(step: Step, value: Tensor, channels: int) -> Tensor | None:
    """A constant of one number per channel, as ONNX has it."""
    array = step.graph.array(value.name)
    if array is None or array.size != channels or (array.ndim > 1 and array.shape[1] != channels) or array.shape == ():
        return None
    if array.ndim == 1 and channels != 1:  # aligned at the first dim: numbers of the batch
        return None
    return value if array.ndim == 1 else step.constant(array.reshape(-1), f"{value.name}_vector")


@handles("matmul")
def _matmul(step: Step) -> Tensor:
    first, second = step.aligned(*step.pair("A", "B"))
    if step.flag("transposeA"):
        first = _turned(step, first)
    if step.flag("transposeB"):
        second = _turned(step, second)
    return step.result("MatMul", [first, second])


@handles("linear")
def _linear(step: Step) -> Tensor:
    value = step.tensor("input")
    product = [value, _turned(step, step.tensor("filter", value))]
    if step.args["bias"] == 0.0 and not isinstance(step.args["bias"], Tensor):
        return step.result("MatMul", product)
    return step.result("Add", step.aligned(step.emit("MatMul", product), step.tensor("bias", value)))


def _turned(step: Step, value: Tensor) -> Tensor:
    rank = step.rank(value)
    if rank < 2:
        step.fail("a matrix has two dims")
    array = step.graph.array(value.name)
    if array is not None:
        return step.constant(array.swapaxes(-1, -2), f"{value.name}_transposed")
    return step.emit("Transpose", [value], perm=[*range(rank - 2), rank - 1, rank - 2])


def _axes(step: Step, value: Tensor) -> str:
    return step.ints(step.axes("axes", step.rank(value)))

"""Theano's operators -> ONNX, by the names of their classes. Theano's convolution turns its kernels round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from . import pickled_graph as pickled
from .graph_elementwise import elementwise
from .graph_indexing import advanced, make_vector, subtensor

Handler = Callable[[Any, Any, list[Any], list[Any], str], list[str]]


def _refuse(name: str, op: Any, message: str) -> Refused:
    kind = pickled.class_of(op)
    return Refused(f"the node {name} ({kind}) {message}", kind="unsupported", node=name, op=kind)


def _plain(onnx_op: str, **attributes: Any) -> Handler:
    def handle(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
        del op, outputs
        return [walk.add(onnx_op, [walk.name(each) for each in inputs], name, **attributes)]

    return handle


def _first(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    """What only promises something of its first input."""
    del op, outputs, name
    return [walk.name(inputs[0])]


def _shuffle(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    del outputs
    order = list(op["new_order"])
    rank, kept = len(pickled.ones_of(inputs[0])), [axis for axis in order if axis != "x"]
    value = walk.name(inputs[0])
    dropped = [axis for axis in range(rank) if axis not in kept]
    if dropped:
        value = walk.add("Squeeze", [value, _axes(walk, dropped, name)], f"{name}/Squeeze")
    places = sorted(kept)
    perm = [places.index(axis) for axis in kept]
    if perm != sorted(perm):
        value = walk.add("Transpose", [value], f"{name}/Transpose", perm=perm)
    new = [place for place, axis in enumerate(order) if axis == "x"]
    return [walk.add("Unsqueeze", [value, _axes(walk, new, name)], name) if new else value]


def _axes(walk: Any, axes: list[int], name: str) -> str:
    return str(walk.graph.constant(np.array(axes, np.int64), f"{name}/axes"))


def _dot(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    """Of vectors and matrices; both of one type."""
    if any(len(pickled.ones_of(each)) > 2 for each in inputs):
        raise _refuse(name, op, "multiplies tensors of more than two axes")
    want = pickled.dtype_of(outputs[0])
    values = [walk.cast(walk.name(each), pickled.dtype_of(each), want, name) for each in inputs]
    return [walk.add("MatMul", values, name)]


def _reshape(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    del op, outputs
    shape = walk.cast(walk.name(inputs[1]), pickled.dtype_of(inputs[1]), "int64", name)
    return [walk.add("Reshape", [walk.name(inputs[0]), shape], name)]


def _flatten(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    """The last axes become one: 0 keeps an axis of those before."""
    del outputs
    wanted = np.array([0] * (int(op.get("outdim", 1)) - 1) + [-1], np.int64)
    return [walk.add("Reshape", [walk.name(inputs[0]), walk.graph.constant(wanted, f"{name}/shape")], name)]


def _alloc(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    (shape,) = make_vector(walk, op, inputs[1:], outputs, f"{name}/shape")
    return [walk.add("Expand", [walk.name(inputs[0]), shape], name)]


def _join(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    del op
    axis, want = int(walk.constant(inputs[0], "the axis", name)), pickled.dtype_of(outputs[0])
    values = [walk.cast(walk.name(each), pickled.dtype_of(each), want, name) for each in inputs[1:]]
    return [walk.add("Concat", values, name, axis=axis)]


def _reduce(onnx_op: str) -> Handler:
    def handle(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
        axis, want = op.get("axis"), pickled.dtype_of(outputs[0])
        value = walk.cast(walk.name(inputs[0]), pickled.dtype_of(inputs[0]), want, name)
        axes = list(range(len(pickled.ones_of(inputs[0])))) if axis is None else _listed(axis)
        return [walk.add(onnx_op, [value, _axes(walk, axes, name)], name, keepdims=0)] if axes else [value]

    return handle


def _general_reduce(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    known = {"Add": "ReduceSum", "Mul": "ReduceProd", "Maximum": "ReduceMax", "Minimum": "ReduceMin"}
    known |= {"ScalarMaximum": "ReduceMax", "ScalarMinimum": "ReduceMin"}
    scalar = pickled.class_of(op["scalar_op"])
    if scalar not in known:
        raise _refuse(name, op, f"reduces by {scalar}")
    return _reduce(known[scalar])(walk, op, inputs, outputs, name)


def _largest(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    """MaxAndArgmax, or Argmax alone, over one axis."""
    axes = _listed(op["axis"]) if op.get("axis") is not None else []
    if len(axes) != 1:
        raise _refuse(name, op, "looks for the largest over several axes at once")
    value = walk.name(inputs[0])
    index = walk.add("ArgMax", [value], f"{name}/ArgMax", axis=axes[0], keepdims=0)
    index = walk.cast(index, "int64", pickled.dtype_of(outputs[-1]), name)
    if pickled.class_of(op) == "Argmax":
        return [index]
    return [walk.add("ReduceMax", [value, _axes(walk, axes, name)], name, keepdims=0), index]


def _listed(value: Any) -> list[int]:
    return [int(each) for each in (value if isinstance(value, list | tuple) else [value])]


def _shape_i(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    del outputs
    shape = walk.add("Shape", [walk.name(inputs[0])], f"{name}/Shape")
    return [walk.add("Gather", [shape, walk.graph.constant(np.array(op["i"], np.int64), f"{name}/i")], name)]


def _biased_softmax(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    del op, outputs
    total = walk.add("Add", [walk.name(each) for each in inputs], f"{name}/Add")
    return [walk.add("Softmax", [total], name, axis=1)]


def _normalize(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    """(x - mean) * gamma / sqrt(variance + epsilon) + beta."""
    del op
    want = pickled.dtype_of(outputs[0])
    x, gamma, beta, mean, variance, epsilon = (
        walk.cast(walk.name(each), pickled.dtype_of(each), want, name) for each in inputs
    )
    spread = walk.add("Sqrt", [walk.add("Add", [variance, epsilon], f"{name}/Add")], f"{name}/Sqrt")
    scale = walk.add("Div", [gamma, spread], f"{name}/Div")
    centred = walk.add("Mul", [walk.add("Sub", [x, mean], f"{name}/Sub"), scale], f"{name}/Mul")
    return [walk.add("Add", [centred, beta], name)]


def _convolve(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    del outputs
    kernel = walk.constant(inputs[1], "the kernel of a convolution", name)
    attributes, kernel = _convolution(op, kernel, name)
    return [walk.add("Conv", [walk.name(inputs[0]), walk.graph.constant(kernel, f"{name}/W")], name, **attributes)]


def _transposed(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    """The gradient of a convolution to its input. Theano is told the size of what it makes."""
    del outputs
    attributes, kernel = _convolution(op, walk.constant(inputs[0], "the kernel of a convolution", name), name)
    size = [int(each) for each in walk.constant(inputs[2], "the size of what a transposed convolution makes", name)]
    begins = attributes.pop("pads")  # ONNX would spread the padding by itself, so the whole is made and cut
    whole = walk.add(
        "ConvTranspose", [walk.name(inputs[1]), walk.graph.constant(kernel, f"{name}/W")], f"{name}/whole", **attributes
    )
    front = begins[: len(size)]
    starts, stops = np.array(front), np.array([a + b for a, b in zip(front, size, strict=True)])
    bounds = [walk.graph.constant(each.astype(np.int64), f"{name}/bound") for each in (starts, stops)]
    return [walk.add("Slice", [whole, *bounds, _axes(walk, list(range(2, 2 + len(size))), name)], name)]


def _convolution(op: Any, kernel: Any, name: str) -> tuple[dict[str, Any], Any]:
    """ONNX's attributes, and the kernel as ONNX correlates it."""
    if op.get("unshared"):
        raise _refuse(name, op, "has a kernel of its own at every place")
    rank = kernel.ndim - 2
    dilation = [int(each) for each in op.get("filter_dilation", (1,) * rank)]
    reach = [(size - 1) * step + 1 for size, step in zip(kernel.shape[2:], dilation, strict=True)]
    border = op["border_mode"]
    if border in ("valid", "half", "full"):
        pads = [{"valid": 0, "half": each // 2, "full": each - 1}[border] for each in reach]
        pads = pads * 2
    else:
        sides = [border] * rank if isinstance(border, int) else list(border)
        both = [each if isinstance(each, list | tuple) else (each, each) for each in sides]
        pads = [int(each[0]) for each in both] + [int(each[1]) for each in both]
    if op.get("filter_flip", True):
        kernel = kernel[(slice(None), slice(None)) + (slice(None, None, -1),) * rank]
    attributes = {
        "kernel_shape": list(kernel.shape[2:]),
        "strides": [int(each) for each in op["subsample"]],
        "dilations": dilation,
        "pads": pads,
        "group": int(op.get("num_groups", 1)),
    }
    return attributes, kernel


def _pool(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    del outputs
    size, stride, pad = ([int(n) for n in walk.constant(each, "a pooling's size", name)] for each in inputs[1:4])
    mode, whole = op.get("mode", "max"), op.get("ignore_border", True)
    if mode == "sum" or (
        not whole and (mode != "max" or any(pad) or any(s > k for s, k in zip(stride, size, strict=True)))
    ):
        raise _refuse(name, op, f"pools by {mode}, or over windows that reach beyond the border")
    rank = len(pickled.ones_of(inputs[0]))
    if rank != len(size) + 2:
        raise _refuse(name, op, f"pools {len(size)} of {rank} axes")
    attributes: dict[str, Any] = {"kernel_shape": size, "strides": stride, "pads": pad * 2, "ceil_mode": int(not whole)}
    if mode != "max":
        attributes["count_include_pad"] = int(mode == "average_inc_pad")
    return [walk.add("MaxPool" if mode == "max" else "AveragePool", [walk.name(inputs[0])], name, **attributes)]


HANDLERS: dict[str, Handler] = {
    "Elemwise": elementwise,
    "DimShuffle": _shuffle,
    "InplaceDimShuffle": _shuffle,
    "Dot": _dot,
    "Dot22": _dot,
    "BatchedDot": _plain("MatMul"),
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Alloc": _alloc,
    "Join": _join,
    "Shape": _plain("Shape"),
    "Shape_i": _shape_i,
    "MakeVector": make_vector,
    "Subtensor": subtensor,
    "AdvancedSubtensor1": advanced,
    "Sum": _reduce("ReduceSum"),
    "Prod": _reduce("ReduceProd"),
    "Max": _reduce("ReduceMax"),
    "Min": _reduce("ReduceMin"),
    "CAReduce": _general_reduce,
    "MaxAndArgmax": _largest,
    "Argmax": _largest,
    "Softmax": _plain("Softmax", axis=1),
    "LogSoftmax": _plain("LogSoftmax", axis=1),
    "SoftmaxWithBias": _biased_softmax,
    "AbstractBatchNormInference": _normalize,
    "AbstractConv2d": _convolve,
    "AbstractConv3d": _convolve,
    "AbstractConv2d_gradInputs": _transposed,
    "AbstractConv3d_gradInputs": _transposed,
    "Pool": _pool,
    "Rebroadcast": _first,
    "ScalarFromTensor": _first,
    "TensorFromScalar": _first,
    "ViewOp": _first,
    "DeepCopyOp": _first,
    "SpecifyShape": _first,
    "Assert": _first,
}

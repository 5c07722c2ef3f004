"""A Core ML program computed in torch, its operators as Apple documents them (iOS 16), floats in fp32.

It is no Core ML: it finds a wrong conversion, not a wrong kernel.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

_FLOATS = (torch.float16, torch.float64)
_TO = {"fp16": torch.float32, "fp32": torch.float32, "int32": torch.int32, "bool": torch.bool}
_MASK = ("begin_mask", "end_mask", "squeeze_mask")


class Unread(Exception):
    """An operator, or a setting of one, that has no definition here."""


def compute(program: Any, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """Input's name -> tensor, to output's name -> tensor. Raises Unread."""
    main = program.functions["main"]
    values = {id(main.inputs[name]): value for name, value in feeds.items()}

    def value(var: Any) -> Any:
        if isinstance(var, (list, tuple)):
            return [value(each) for each in var]
        if id(var) in values:
            return values[id(var)]
        return None if var is None or var.val is None else _known(var.val)

    for op in main.operations:
        if all(var.val is not None for var in op.outputs):
            continue  # a constant
        if op.op_type not in _OPERATORS:
            raise Unread(op.op_type)
        given = {name: value(var) for name, var in op.inputs.items()}
        try:
            made = _OPERATORS[op.op_type](given)
        except (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            raise Unread(f"{op.op_type}: {error}") from error
        made = made if isinstance(made, (list, tuple)) else [made]
        for var, each in zip(op.outputs, made, strict=True):
            if tuple(each.shape) != tuple(var.shape or ()):  # Core ML Tools worked the shape out by its own rules
                raise Unread(f"{op.op_type} of {op.name}")
            values[id(var)] = each
    return {var.name: value(var) for var in main.outputs}


def _known(found: Any) -> Any:
    """A stored value: strings, truths and lone numbers as Python's, all others as tensors."""
    if isinstance(found, (str, bool, int)):
        return found
    array = np.asarray(found)
    if array.dtype.kind in "US":
        return str(array)
    tensor = torch.from_numpy(np.array(array))
    tensor = tensor.float() if tensor.dtype in _FLOATS else tensor
    return tensor if array.ndim or tensor.is_floating_point() else array.item()


def _ints(found: Any) -> list[int]:
    return [int(each) for each in (found.reshape(-1).tolist() if hasattr(found, "reshape") else [found])]


def _float(found: Any) -> float:
    return float(found)


def _windows(g: Mapping[str, Any], kernel: list[int], value: float = 0.0) -> Any:
    """x, padded as `pad_type` says."""
    x, kind, rank = g["x"], g["pad_type"], len(kernel)
    strides, dilations = _ints(g["strides"]), _ints(g.get("dilations", torch.ones(rank)))
    if kind == "valid":
        return x
    if kind == "custom":
        pads = _ints(g["pad"])
    elif kind in ("same", "same_lower"):
        pads = []
        for axis in range(rank):
            size, reach = x.shape[axis + 2], (kernel[axis] - 1) * dilations[axis] + 1
            total = max((math.ceil(size / strides[axis]) - 1) * strides[axis] + reach - size, 0)
            small, large = total // 2, total - total // 2
            pads += [small, large] if kind == "same" else [large, small]
    else:
        raise Unread(f"pad_type {kind}")
    pairs = [pads[2 * axis : 2 * axis + 2] for axis in range(rank)]
    return functional.pad(x, [each for pair in reversed(pairs) for each in pair], value=value)


def _conv(g: Mapping[str, Any]) -> Any:
    weight = g["weight"]
    rank = weight.dim() - 2
    x = _windows(g, list(weight.shape[2:]))
    call: Callable[..., Any] = (functional.conv1d, functional.conv2d, functional.conv3d)[rank - 1]
    return call(x, weight, g.get("bias"), _ints(g["strides"]), 0, _ints(g["dilations"]), int(g["groups"]))


def _conv_transpose(g: Mapping[str, Any]) -> Any:
    weight = g["weight"]
    rank = weight.dim() - 2
    if g["pad_type"] not in ("valid", "custom"):
        raise Unread(f"conv_transpose of pad_type {g['pad_type']}")
    calls = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
    call: Callable[..., Any] = calls[rank - 1]
    strides, dilations = _ints(g["strides"]), _ints(g["dilations"])
    made = call(g["x"], weight, None, strides, 0, 0, int(g["groups"]), dilations)
    pads = _ints(g["pad"]) if g["pad_type"] == "custom" else [0] * 2 * rank
    shape = _ints(g["output_shape"])[2:] if g.get("output_shape") is not None else None
    for axis in range(rank):
        begin = pads[2 * axis]
        size = shape[axis] if shape else made.shape[axis + 2] - begin - pads[2 * axis + 1]
        if (short := begin + size - made.shape[axis + 2]) > 0:
            made = functional.pad(made, [0, 0] * (rank - 1 - axis) + [0, short])
        made = made.narrow(axis + 2, begin, size)
    bias = g.get("bias")
    return made if bias is None else made + bias.reshape(-1, *[1] * rank)


def _pool(g: Mapping[str, Any], highest: bool) -> Any:
    kernel, strides = _ints(g["kernel_sizes"]), _ints(g["strides"])
    if g.get("ceil_mode"):
        raise Unread("pooling of ceil_mode")
    rank = len(kernel)
    if highest:
        x = _windows(g, kernel, -math.inf)
        return (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[rank - 1](x, kernel, strides)
    call: Callable[..., Any] = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[rank - 1]
    made = call(_windows(g, kernel), kernel, strides)
    if g.get("exclude_padding_from_average"):
        made = made / call(_windows({**g, "x": torch.ones_like(g["x"])}, kernel), kernel, strides)
    return made


def _reduce(function: Callable[..., Any]) -> Callable[[Mapping[str, Any]], Any]:
    def reduced(g: Mapping[str, Any]) -> Any:
        axes = _ints(g["axes"]) if g.get("axes") is not None else list(range(g["x"].dim()))
        return function(g["x"], dim=axes, keepdim=bool(g["keep_dims"]))

    return reduced


def _arg(function: Callable[..., Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda g: function(g["x"], dim=int(g["axis"]), keepdim=bool(g["keep_dims"])).to(torch.int32)


def _reshape(g: Mapping[str, Any]) -> Any:
    shape = _ints(g["shape"])
    return g["x"].reshape([g["x"].shape[axis] if size == 0 else size for axis, size in enumerate(shape)])


def _expand(g: Mapping[str, Any]) -> Any:
    axes, x = _ints(g["axes"]), g["x"]
    for axis in sorted(each % (x.dim() + len(axes)) for each in axes):
        x = x.unsqueeze(axis)
    return x


def _squeeze(g: Mapping[str, Any]) -> Any:
    return g["x"].squeeze(tuple(_ints(g["axes"]))) if g.get("axes") is not None else g["x"].squeeze()


def _split(g: Mapping[str, Any]) -> Any:
    axis = int(g["axis"])
    sizes = _ints(g["split_sizes"]) if g.get("split_sizes") is not None else None
    return torch.split(g["x"], sizes or g["x"].shape[axis] // int(g["num_splits"]), dim=axis)


def _concat(g: Mapping[str, Any]) -> Any:
    if g.get("interleave"):
        raise Unread("concat of interleave")
    return torch.cat([each for each in g["values"] if each.numel()], dim=int(g["axis"]))


def _slice(g: Mapping[str, Any]) -> Any:
    x = g["x"]
    begin, end = _ints(g["begin"]), _ints(g["end"])
    steps = _ints(g["stride"]) if g.get("stride") is not None else [1] * x.dim()
    free, open_, single = ([bool(e) for e in _ints(g[k])] if g.get(k) is not None else [False] * x.dim() for k in _MASK)
    index: list[Any] = []
    for axis in range(x.dim()):
        if single[axis]:
            index.append(begin[axis])
            continue
        bounds = slice(None if free[axis] else begin[axis], None if open_[axis] else end[axis], steps[axis])
        index.append(torch.arange(x.shape[axis])[range(x.shape[axis])[bounds]] if steps[axis] < 0 else bounds)
    for axis in range(x.dim() - 1, -1, -1):  # one by one: two lists of indices would be paired
        x = x[(slice(None),) * axis + (index[axis],)]
    return x


def _sliced(g: Mapping[str, Any]) -> Any:
    x = g["x"]
    for axis, (begin, size) in enumerate(zip(_ints(g["begin"]), _ints(g["size"]), strict=True)):
        x = x.narrow(axis, begin, x.shape[axis] - begin if size == -1 else size)
    return x


def _pad(g: Mapping[str, Any]) -> Any:
    pads, mode = _ints(g["pad"]), g["mode"]
    pairs = [pads[index : index + 2] for index in range(0, len(pads), 2)]
    flat = [each for pair in reversed(pairs) for each in pair]
    if mode == "constant":
        return functional.pad(g["x"], flat, value=_float(g["constant_val"]))
    raise Unread(f"pad of mode {mode}")


def _gather(g: Mapping[str, Any]) -> Any:
    if int(g.get("batch_dims") or 0):
        raise Unread("gather of batch_dims")
    x, axis = g["x"], int(g["axis"])
    indices = torch.as_tensor(g["indices"]).long() % x.shape[axis]
    axis %= x.dim()
    picked = x.index_select(axis, indices.reshape(-1))
    return picked.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _per_channel(x: Any, values: Any, default: float) -> Any:
    return default if values is None else values.reshape(-1, *[1] * (x.dim() - 2))


def _batch_norm(g: Mapping[str, Any]) -> Any:
    x = g["x"]
    mean, variance = _per_channel(x, g["mean"], 0.0), _per_channel(x, g["variance"], 1.0)
    made = (x - mean) / torch.sqrt(variance + _float(g["epsilon"]))
    return made * _per_channel(x, g.get("gamma"), 1.0) + _per_channel(x, g.get("beta"), 0.0)


def _instance_norm(g: Mapping[str, Any]) -> Any:
    x, axes = g["x"], list(range(2, g["x"].dim()))
    spread = torch.sqrt(x.var(axes, correction=0, keepdim=True) + _float(g["epsilon"]))
    made = (x - x.mean(axes, keepdim=True)) / spread
    return made * _per_channel(x, g.get("gamma"), 1.0) + _per_channel(x, g.get("beta"), 0.0)


def _layer_norm(g: Mapping[str, Any]) -> Any:
    axes = _ints(g["axes"]) if g.get("axes") is not None else list(range(g["x"].dim()))
    x, axes = g["x"], sorted(each % g["x"].dim() for each in axes)
    made = (x - x.mean(axes, keepdim=True)) / torch.sqrt(x.var(axes, correction=0, keepdim=True) + _float(g["epsilon"]))
    shape = [x.shape[axis] if axis in axes else 1 for axis in range(x.dim())]
    made = made if g.get("gamma") is None else made * g["gamma"].reshape(shape)
    return made if g.get("beta") is None else made + g["beta"].reshape(shape)


def _matmul(g: Mapping[str, Any]) -> Any:
    x, y = g["x"], g["y"]
    x = x.transpose(-1, -2) if g.get("transpose_x") else x
    return x @ (y.transpose(-1, -2) if g.get("transpose_y") else y)


def _gelu(g: Mapping[str, Any]) -> Any:
    if g["mode"] == "SIGMOID_APPROXIMATION":
        return g["x"] * torch.sigmoid(1.702 * g["x"])
    return functional.gelu(g["x"], approximate="none" if g["mode"] == "EXACT" else "tanh")


def _normalised_locally(g: Mapping[str, Any]) -> Any:
    size, alpha, beta, k = int(g["size"]), _float(g["alpha"]), _float(g["beta"]), _float(g["k"])
    return functional.local_response_norm(g["x"], size, alpha, beta, k)


def _unary(function: Callable[[Any], Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda g: function(g["x"])


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda g: function(torch.as_tensor(g["x"]), torch.as_tensor(g["y"]))


def _larger(g: Mapping[str, Any]) -> Any:
    up, left = _float(g["scale_factor_height"]), _float(g["scale_factor_width"])
    if up != int(up) or left != int(left):
        raise Unread("upsample_nearest_neighbor by a fraction")
    return g["x"].repeat_interleave(int(up), -2).repeat_interleave(int(left), -1)


def _cumulated(g: Mapping[str, Any]) -> Any:
    if g.get("exclusive") or g.get("reverse"):
        raise Unread("cumsum exclusive or reverse")
    return g["x"].cumsum(int(g["axis"])).to(g["x"].dtype)


_OPERATORS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    **{name: _unary(getattr(torch, name)) for name in ("relu", "sigmoid", "tanh", "exp", "sqrt", "erf", "abs")},
    **{name: _unary(getattr(torch, name)) for name in ("square", "floor", "ceil", "round", "sign", "sin", "cos")},
    "identity": _unary(lambda x: x),
    "relu6": _unary(functional.relu6),
    "silu": _unary(functional.silu),
    "softplus": _unary(functional.softplus),
    "softsign": _unary(functional.softsign),
    "logical_not": _unary(torch.logical_not),
    "log": lambda g: torch.log(g["x"] + _float(g["epsilon"])),
    "rsqrt": lambda g: torch.rsqrt(g["x"] + _float(g["epsilon"])),
    "inverse": lambda g: 1 / (g["x"] + _float(g["epsilon"])),
    "clip": lambda g: g["x"].clamp(_float(g["alpha"]), _float(g["beta"])),
    "leaky_relu": lambda g: functional.leaky_relu(g["x"], _float(g["alpha"])),
    "elu": lambda g: functional.elu(g["x"], _float(g["alpha"])),
    "prelu": lambda g: functional.prelu(g["x"], g["alpha"]),
    "thresholded_relu": lambda g: torch.where(g["x"] >= _float(g["alpha"]), g["x"], 0.0),
    "sigmoid_hard": lambda g: (g["x"] * _float(g["alpha"]) + _float(g["beta"])).clamp(0, 1),
    "gelu": _gelu,
    "cast": lambda g: g["x"].to(_TO[g["dtype"]]),
    "add": _binary(torch.add),
    "sub": _binary(torch.sub),
    "mul": _binary(torch.mul),
    "real_div": _binary(torch.div),
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "pow": _binary(torch.pow),
    "equal": _binary(torch.eq),
    "not_equal": _binary(torch.ne),
    "greater": _binary(torch.gt),
    "greater_equal": _binary(torch.ge),
    "less": _binary(torch.lt),
    "less_equal": _binary(torch.le),
    "logical_and": _binary(torch.logical_and),
    "logical_or": _binary(torch.logical_or),
    "select": lambda g: torch.where(torch.as_tensor(g["cond"]), g["a"], g["b"]),
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": lambda g: functional.linear(g["x"], g["weight"], g.get("bias")),
    "matmul": _matmul,
    "max_pool": lambda g: _pool(g, highest=True),
    "avg_pool": lambda g: _pool(g, highest=False),
    "reduce_mean": _reduce(torch.mean),
    "reduce_sum": _reduce(torch.sum),
    "reduce_max": _reduce(torch.amax),
    "reduce_min": _reduce(torch.amin),
    "reduce_l2_norm": _reduce(torch.linalg.vector_norm),
    "reduce_sum_square": _reduce(lambda x, dim, keepdim: x.square().sum(dim, keepdim)),
    "reduce_argmax": _arg(torch.argmax),
    "reduce_argmin": _arg(torch.argmin),
    "softmax": lambda g: torch.softmax(g["x"], int(g["axis"])),
    "cumsum": _cumulated,
    "batch_norm": _batch_norm,
    "instance_norm": _instance_norm,
    "layer_norm": _layer_norm,
    "local_response_norm": _normalised_locally,
    "reshape": _reshape,
    "transpose": lambda g: g["x"].permute(_ints(g["perm"])),
    "expand_dims": _expand,
    "squeeze": _squeeze,
    "split": _split,
    "concat": _concat,
    "stack": lambda g: torch.stack(g["values"], int(g["axis"])),
    "tile": lambda g: g["x"].repeat(_ints(g["reps"])),
    "slice_by_index": _slice,
    "slice_by_size": _sliced,
    "pad": _pad,
    "gather": _gather,
    "upsample_nearest_neighbor": _larger,
}

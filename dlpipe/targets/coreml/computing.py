"""A Core ML program computed in torch, its operators as Apple documents them (iOS 16), floats in fp32.

It is no Core ML: it finds a wrong conversion, not a wrong kernel.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from . import moving, windows
from .reading import Unread, ints, known, number

_TO = {"fp16": torch.float32, "fp32": torch.float32, "int32": torch.int32, "bool": torch.bool}


def compute(program: Any, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """Input's name -> tensor, to output's name -> tensor. Raises Unread."""
    main = program.functions["main"]
    values = {id(main.inputs[name]): value for name, value in feeds.items()}

    def value(var: Any) -> Any:
        if isinstance(var, (list, tuple)):
            return [value(each) for each in var]
        if id(var) in values:
            return values[id(var)]
        return None if var is None or var.val is None else known(var.val)

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


def _reduce(function: Callable[..., Any]) -> Callable[[Mapping[str, Any]], Any]:
    def reduced(g: Mapping[str, Any]) -> Any:
        axes = ints(g["axes"]) if g.get("axes") is not None else list(range(g["x"].dim()))
        return function(g["x"], dim=axes, keepdim=bool(g["keep_dims"]))

    return reduced


def _arg(function: Callable[..., Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda g: function(g["x"], dim=int(g["axis"]), keepdim=bool(g["keep_dims"])).to(torch.int32)


def _per_channel(x: Any, values: Any, default: float) -> Any:
    return default if values is None else values.reshape(-1, *[1] * (x.dim() - 2))


def _batch_norm(g: Mapping[str, Any]) -> Any:
    x = g["x"]
    mean, variance = _per_channel(x, g["mean"], 0.0), _per_channel(x, g["variance"], 1.0)
    made = (x - mean) / torch.sqrt(variance + number(g["epsilon"]))
    return made * _per_channel(x, g.get("gamma"), 1.0) + _per_channel(x, g.get("beta"), 0.0)


def _instance_norm(g: Mapping[str, Any]) -> Any:
    x, axes = g["x"], list(range(2, g["x"].dim()))
    spread = torch.sqrt(x.var(axes, correction=0, keepdim=True) + number(g["epsilon"]))
    made = (x - x.mean(axes, keepdim=True)) / spread
    return made * _per_channel(x, g.get("gamma"), 1.0) + _per_channel(x, g.get("beta"), 0.0)


def _layer_norm(g: Mapping[str, Any]) -> Any:
    axes = ints(g["axes"]) if g.get("axes") is not None else list(range(g["x"].dim()))
    x, axes = g["x"], sorted(each % g["x"].dim() for each in axes)
    made = (x - x.mean(axes, keepdim=True)) / torch.sqrt(x.var(axes, correction=0, keepdim=True) + number(g["epsilon"]))
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
    size, alpha, beta, k = int(g["size"]), number(g["alpha"]), number(g["beta"]), number(g["k"])
    return functional.local_response_norm(g["x"], size, alpha, beta, k)


def _unary(function: Callable[[Any], Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda g: function(g["x"])


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda g: function(torch.as_tensor(g["x"]), torch.as_tensor(g["y"]))


def _larger(g: Mapping[str, Any]) -> Any:
    up, left = number(g["scale_factor_height"]), number(g["scale_factor_width"])
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
    "log": lambda g: torch.log(g["x"] + number(g["epsilon"])),
    "rsqrt": lambda g: torch.rsqrt(g["x"] + number(g["epsilon"])),
    "inverse": lambda g: 1 / (g["x"] + number(g["epsilon"])),
    "clip": lambda g: g["x"].clamp(number(g["alpha"]), number(g["beta"])),
    "leaky_relu": lambda g: functional.leaky_relu(g["x"], number(g["alpha"])),
    "elu": lambda g: functional.elu(g["x"], number(g["alpha"])),
    "prelu": lambda g: functional.prelu(g["x"], g["alpha"]),
    "thresholded_relu": lambda g: torch.where(g["x"] >= number(g["alpha"]), g["x"], 0.0),
    "sigmoid_hard": lambda g: (g["x"] * number(g["alpha"]) + number(g["beta"])).clamp(0, 1),
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
    "conv": windows.conv,
    "conv_transpose": windows.conv_transpose,
    "linear": lambda g: functional.linear(g["x"], g["weight"], g.get("bias")),
    "matmul": _matmul,
    "max_pool": lambda g: windows.pool(g, highest=True),
    "avg_pool": lambda g: windows.pool(g, highest=False),
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
    "reshape": moving.reshape,
    "transpose": lambda g: g["x"].permute(ints(g["perm"])),
    "expand_dims": moving.expand,
    "squeeze": moving.squeeze,
    "split": moving.split,
    "concat": moving.concat,
    "stack": lambda g: torch.stack(g["values"], int(g["axis"])),
    "tile": lambda g: g["x"].repeat(ints(g["reps"])),
    "slice_by_index": moving.slice_,
    "slice_by_size": moving.sliced,
    "pad": moving.pad,
    "gather": moving.gather,
    "upsample_nearest_neighbor": _larger,
}

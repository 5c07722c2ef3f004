"""A quantised graph (QDQ) as it is trained: its integers as floats that are rounded on the way, with gradients.

The step of rounding has the gradient of the identity, and none outside the range (Bengio et al. 2013); a scale has the
gradient of learned step sizes (Esser et al. 2020), which follows from these two. Scales are learned as logarithms: they
stay positive, and a step of the optimiser changes each by a share of itself. It is written in plain arithmetic, because
torch's own fake-quantisation kernels cannot be mapped over samples (`batching.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from dlpipe_worker import Refused

from ..graph.infra import constant
from ..torch_module.ops.quantised import along
from ..torch_module.ops.table import Compute, together

_BOUNDS = {ir.DataType.UINT8: (0, 255), ir.DataType.INT8: (-128, 127)}
_NARROW, _WHOLE = 63, 127  # the largest weights of 7 and of 8 bits
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class Weight:
    """A stored integer tensor that a DequantizeLinear reads. `user`: the node that computes with it, at that input."""

    node: ir.Node
    value: ir.Value
    scale: ir.Value
    zero: Any  # an array in the scale's shape
    axis: int
    bounds: tuple[int, int] | None  # None: int32, a bias
    user: ir.Node
    index: int

    def floats(self) -> Any:
        array = constant(self.value).astype(np.float32)
        return (array - self.spread(self.zero, array.ndim)) * self.spread(constant(self.scale), array.ndim)

    def spread(self, numbers: Any, rank: int) -> Any:
        """Scales or zero points against the tensor's own shape."""
        numbers = np.asarray(numbers, np.float32)
        if numbers.size == 1:
            return numbers.reshape(())
        return numbers.reshape([-1 if each == self.axis % rank else 1 for each in range(rank)])


@dataclass(frozen=True, slots=True)
class Quantised:
    """What is quantised in a graph."""

    weights: list[Weight]
    rounding: list[ir.Node]  # QuantizeLinear of values that are computed
    passing: list[ir.Node]  # DequantizeLinear behind these


def find(model: ir.Model) -> Quantised:
    """Raises Refused for a model that is not quantised, or in a form that is not trained."""
    weights, rounding, passing = [], [], []
    for node in model.graph:
        if node.op_type == "DequantizeLinear":
            made = node.inputs[0].producer() if node.inputs[0] is not None else None
            if made is not None and made.op_type == "QuantizeLinear":
                passing.append(node)
            else:
                weights.append(_weight(node))
        elif node.op_type == "QuantizeLinear":
            _bounds_of(node, node.inputs[2] if len(node.inputs) > 2 else None)
            readers = [use.node for use in node.outputs[0].uses()]
            if any(reader.op_type != "DequantizeLinear" for reader in readers):
                _refuse(node, "its integers are computed with directly")
            rounding.append(node)
        elif node.op_type.startswith(("QLinear", "DynamicQuantize")) or node.op_type.endswith("Integer"):
            _refuse(
                node, "the operator computes in integers; the form with QuantizeLinear and DequantizeLinear is trained"
            )
    if not weights:
        raise Refused("the model is not quantised", kind="unsupported", hint="run quantize-int8 first")
    return Quantised(_within(weights), rounding, passing)


def _within(weights: list[Weight]) -> list[Weight]:
    """Trained weights keep to the bits of those that came in: where kernels add two products in 16 bits, weights have 7
    (`quantize-int8`, int7), and none is -128 where none was."""
    sizes = [np.abs(constant(each.value).astype(np.int16)).max(initial=0) for each in weights if _is_symmetric(each)]
    largest = max(sizes, default=0)
    if largest > _WHOLE:
        return weights
    last = _NARROW if largest <= _NARROW else _WHOLE
    return [replace(each, bounds=(-last, last)) if _is_symmetric(each) else each for each in weights]


def _is_symmetric(weight: Weight) -> bool:
    return weight.bounds == _BOUNDS[ir.DataType.INT8] and not np.any(weight.zero)


def computes(found: Quantised) -> Mapping[ir.Node, Compute]:
    """In place of the operators of quantisation; scales come in as logarithms."""
    made: dict[ir.Node, Compute] = {node: lambda x, *_: x for node in found.passing}
    made.update((node, _rounded(node)) for node in found.rounding)
    made.update((each.node, _stored(each)) for each in found.weights)
    return made


def logarithm(scale: Any) -> Any:
    return np.log(np.maximum(np.asarray(scale, np.float32), _SMALLEST))


def fake(x: Any, scale: Any, zero: Any, bounds: tuple[int, int]) -> Any:
    """Quantised and dequantised again. `scale` and `zero` broadcast against `x`."""
    steps = (x / scale + zero).clamp(*bounds)
    return (steps + (steps.round() - steps).detach() - zero) * scale


def _rounded(node: ir.Node) -> Compute:
    bounds, axis = _bounds_of(node, node.inputs[2] if len(node.inputs) > 2 else None), _axis(node)

    def compute(x: Any, log: Any, zero: Any = None) -> Any:
        x, log, zero = together(x, log, torch.zeros_like(log) if zero is None else zero)
        scale = _gentle(log, x.numel() // log.numel(), bounds[1]).exp()
        return fake(x, along(scale, x, axis), along(zero.to(x.dtype), x, axis), bounds)

    return compute


def _stored(weight: Weight) -> Compute:
    bounds = weight.bounds
    if bounds is None:
        return lambda floats, *_: floats  # a bias has steps so fine that rounding does not show
    spread = torch.from_numpy(np.array(weight.zero, np.float32))

    def compute(floats: Any, log: Any, *_: Any) -> Any:
        scale = _gentle(log, floats.numel() // log.numel(), bounds[1]).exp()
        zero = spread.to(floats.device)
        return fake(floats, along(scale, floats, weight.axis), along(zero, floats, weight.axis), bounds)

    return compute


def _gentle(log: Any, count: int, steps: int) -> Any:
    """The same number with a gradient that is smaller: that of a scale is a sum over all that it scales (Esser et al.
    2020). It tells where the optimiser is SGD."""
    share = 1.0 / float(count * steps) ** 0.5
    return log * share + (log * (1.0 - share)).detach()


def _weight(node: ir.Node) -> Weight:
    value, scale = node.inputs[0], node.inputs[1]
    array, scales = constant(value), constant(scale)
    if value is None or scale is None or array is None or scales is None:
        _refuse(node, "what it reads is neither stored nor quantised in the graph")
    stored = node.inputs[2] if len(node.inputs) > 2 else None
    zero = constant(stored) if stored is not None else np.zeros_like(scales)
    if zero is None:
        _refuse(node, "its zero point is not stored")
    users = list(node.outputs[0].uses())
    if not users:
        _refuse(node, "nothing reads it")
    bounds = None if value.dtype == ir.DataType.INT32 else _bounds_of(node, value)
    return Weight(node, value, scale, zero, _axis(node), bounds, users[0].node, users[0].idx)


def _bounds_of(node: ir.Node, value: ir.Value | None) -> tuple[int, int]:
    kind = ir.DataType.UINT8 if value is None else value.dtype or (value.const_value and value.const_value.dtype)
    if kind not in _BOUNDS:
        _refuse(node, f"{kind} is not trained, int8 and uint8 are")
    return _BOUNDS[kind]


def _axis(node: ir.Node) -> int:
    if "block_size" in node.attributes and node.attributes["block_size"].value:
        _refuse(node, "scales by blocks are not trained")
    return int(node.attributes["axis"].value) if "axis" in node.attributes else 1


def _refuse(node: ir.Node, why: str) -> Any:
    raise Refused(f"{why}", kind="unsupported", node=node.name, op=node.op_type)

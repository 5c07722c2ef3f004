"""QuantizeLinear and DequantizeLinear: not operators, but what says which tensors are in 8 bits."""

import numpy as np

from .graph import Array, Quant
from .handlers import handles
from .reading import Node
from .scope import Scope, Weights


@handles("QuantizeLinear")
def _quantize(s: Scope, node: Node) -> None:
    quant = s.levels_of(node)
    if quant is None:
        raise node.refuse("rounds with several scales, or not to 8 bits: TFLite's activations have one scale in int8")
    name = node.inputs[0]
    found = s.value(name)
    s.bind(node.outputs[0], s.rounded(found.tensor, quant), found.order, levels=True)


@handles("DequantizeLinear")
def _dequantize(s: Scope, node: Node) -> None:
    stored = s.source.constants.get(node.inputs[0])
    if stored is not None:
        s.weights[node.outputs[0]] = _weights(s, node, stored)
        return
    quant, found = s.levels_of(node), s.value(node.inputs[0])
    if quant is None:
        raise node.refuse("its levels have several scales, or not 8 bits: TFLite's activations have one scale in int8")
    if found.tensor.quant is None and node.inputs[0] in s.source.inputs:
        # levels that come in: they stand for what this node says
        signed = found.tensor.dtype == "int8"
        found.tensor.quant = Quant(quant.scale, (quant.zero[0] + (0 if signed else 128),))
    if found.tensor.quant is None or not found.levels:
        raise node.refuse("reads integers that no QuantizeLinear made")
    tensor = found.tensor if found.tensor.dtype == "int8" else s.rounded(found.tensor, quant)
    if tensor.quant != quant:
        raise node.refuse("has another scale than the levels that it reads")
    s.bind(node.outputs[0], tensor, found.order)


def _weights(s: Scope, node: Node, levels: Array) -> Weights:
    scale = s.source.constants.get(node.inputs[1])
    zero = s.source.constants.get(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    if scale is None:
        raise node.refuse("its scale is computed")
    if scale.ndim > 1 or node.get("block_size", 0):
        raise node.refuse("its weights have a scale for each block, and TFLite has one for each channel at most")
    if levels.dtype.name not in ("int8", "uint8", "int32"):
        raise node.refuse(f"its weights are in {levels.dtype.name}, and only 8 bits are taken here")
    shift = 128 if levels.dtype == np.uint8 else 0
    signed = (levels.astype(np.int16) - shift).astype(np.int8) if shift else levels
    points = np.zeros(scale.shape, np.int32) if zero is None else zero.astype(np.int32)
    axis = node.get("axis", 1) % max(levels.ndim, 1)
    return Weights(signed, scale.astype(np.float32).reshape(-1), points.reshape(-1) - shift, axis)

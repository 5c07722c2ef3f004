"""Products of matrices, and the attention that GluonNLP makes of them."""

from __future__ import annotations

import math

from dlpipe_worker import Refused

from .handlers import Layer, handles
from .net import Net


def turned(net: Net, value: str) -> str:
    rank = net.rank(value)
    return net.transpose(value, [*range(rank - 2), rank - 1, rank - 2])


@handles("dot", "_sparse_dot")
def dot(net: Net, layer: Layer) -> str:
    """Over the last axis of the first and the first of the second."""
    left, right = layer.inputs
    a = layer.attributes
    a.ignore("forward_stype")
    if a.flag("transpose_a"):
        left = _first_last(net, left)
    if a.flag("transpose_b"):
        right = _last_first(net, right)
    ranks = net.rank(left), net.rank(right)
    if ranks[1] > 2:
        raise Refused("dot with a second operand of more than two dims is not supported", kind="unsupported")
    made = net.add("MatMul", left, right)
    return made if net.rank(made) else net.unsqueeze(made, 0)


def _first_last(net: Net, value: str) -> str:
    rank = net.rank(value)
    return net.transpose(value, [*range(1, rank), 0])


def _last_first(net: Net, value: str) -> str:
    rank = net.rank(value)
    return net.transpose(value, [rank - 1, *range(rank - 1)])


@handles("batch_dot", "_linalg_gemm2", "linalg_gemm2", "_npx_batch_dot")
def batch_dot(net: Net, layer: Layer) -> str:
    left, right = layer.inputs
    a = layer.attributes
    a.ignore("forward_stype")
    alpha = a.real("alpha", 1.0)
    if a.whole("axis", -2) != -2:
        raise Refused("axis is not supported", kind="unsupported")
    left = turned(net, left) if a.flag("transpose_a") else left
    right = turned(net, right) if a.flag("transpose_b") else right
    made = net.add("MatMul", left, right)
    return made if alpha == 1.0 else net.add("Mul", made, net.like(alpha, made))


@handles("_linalg_gemm", "linalg_gemm")
def gemm(net: Net, layer: Layer) -> str:
    left, right, added = layer.inputs
    a = layer.attributes
    if a.whole("axis", -2) != -2:
        raise Refused("axis is not supported", kind="unsupported")
    left = turned(net, left) if a.flag("transpose_a") else left
    right = turned(net, right) if a.flag("transpose_b") else right
    made = net.add("MatMul", left, right)
    made = net.add("Mul", made, net.like(a.real("alpha", 1.0), made))
    return net.add("Add", made, net.add("Mul", added, net.like(a.real("beta", 1.0), added)))


def _heads(net: Net, value: str, heads: int, parts: int, part: int) -> str:
    """(T, N, heads * parts * d) -> the part as (N, heads, T, d)."""
    width = net.size(value, 2)
    if heads < 1 or width % (heads * parts):
        raise Refused(f"{width} features in {heads} heads of {parts} parts")
    split = net.reshape(value, [[0], [1], heads, parts, width // heads // parts])
    return net.transpose(net.squeeze(net.slice(split, 3, part, part + 1), 3), [1, 2, 0, 3])


def _scores(net: Net, queries: str, keys: str) -> str:
    scaled = net.add("Div", queries, net.like(math.sqrt(net.size(queries, 3)), queries))
    return net.reshape(net.add("MatMul", scaled, turned(net, keys)), [[0, 1], [2], [3]])


def _weighted(net: Net, values: str, attention: str, heads: int) -> str:
    """values (N, heads, T, d), attention (N * heads, S, T) -> (S, N, heads * d)."""
    grouped = net.add("Reshape", attention, net.add("Concat", net.ints(-1, heads), _last_two(net, attention), axis=0))
    grouped = net.know(grouped, [net.shape(values)[0], heads, *net.shape(attention)[1:]])
    made = net.transpose(net.add("MatMul", grouped, values), [2, 0, 1, 3])
    return net.reshape(made, [[0], [1], heads * net.size(values, 3)])


def _last_two(net: Net, value: str) -> str:
    return net.slice(net.add("Shape", value), 0, 1, 3)


@handles("_contrib_interleaved_matmul_selfatt_qk")
def self_scores(net: Net, layer: Layer) -> str:
    heads = layer.attributes.whole("heads")
    return _scores(net, *(_heads(net, layer.inputs[0], heads, 3, part) for part in (0, 1)))


@handles("_contrib_interleaved_matmul_selfatt_valatt")
def self_values(net: Net, layer: Layer) -> str:
    heads = layer.attributes.whole("heads")
    return _weighted(net, _heads(net, layer.inputs[0], heads, 3, 2), layer.inputs[1], heads)


@handles("_contrib_interleaved_matmul_encdec_qk")
def cross_scores(net: Net, layer: Layer) -> str:
    heads = layer.attributes.whole("heads")
    queries, both = layer.inputs
    return _scores(net, _heads(net, queries, heads, 1, 0), _heads(net, both, heads, 2, 0))


@handles("_contrib_interleaved_matmul_encdec_valatt")
def cross_values(net: Net, layer: Layer) -> str:
    heads = layer.attributes.whole("heads")
    return _weighted(net, _heads(net, layer.inputs[0], heads, 2, 1), layer.inputs[1], heads)

"""Groups of nodes that one operator stands for, in the spellings of exporters."""

from __future__ import annotations

from collections.abc import Callable

from .net import Net, Value


def gelu(net: Net) -> Value | None:
    x = net.pick()
    if x is None:
        return None
    if net.opset >= 20 and net.one_of([True, False, False]):
        return net.keep(net.op("Gelu", x, shape=x.shape, approximate=net.one_of(["none", "tanh"])))
    half, one = net.number(0.5), net.number(1.0)
    if net.one_of([True, False]):
        inner = net.op("Erf", net.op("Div", x, net.number(1.4142135), shape=x.shape), shape=x.shape)
    else:
        cube = net.op("Mul", net.op("Pow", x, net.number(3.0), shape=x.shape), net.number(0.044715), shape=x.shape)
        line = net.op("Mul", net.op("Add", x, cube, shape=x.shape), net.number(0.79788458), shape=x.shape)
        inner = net.op("Tanh", line, shape=x.shape)
    gate = net.op("Add", inner, one, shape=x.shape)
    if net.one_of([True, False]):
        return net.keep(net.op("Mul", net.op("Mul", x, half, shape=x.shape), gate, shape=x.shape))
    return net.keep(net.op("Mul", net.op("Mul", x, gate, shape=x.shape), half, shape=x.shape))


def activation(net: Net) -> Value | None:
    x = net.pick()
    if x is None:
        return None
    kind, shape = net.one_of(["hswish", "hsigmoid", "swish", "mish", "leaky", "relu6"]), x.shape
    if kind == "swish":
        return net.keep(net.op("Mul", x, net.op("Sigmoid", x, shape=shape), shape=shape))
    if kind == "mish":
        return net.keep(net.op("Mul", net.op("Tanh", net.op("Softplus", x, shape=shape), shape=shape), x, shape=shape))
    if kind == "leaky":
        return net.keep(net.op("Max", x, net.op("Mul", x, net.number(0.1), shape=shape), shape=shape))
    if kind == "relu6":
        return net.keep(net.op("Min", net.op("Relu", x, shape=shape), net.number(0.75), shape=shape))
    clip = net.op("Clip", net.op("Add", x, net.number(3.0), shape=shape), net.number(0.0), net.number(6.0), shape=shape)
    gate = net.op("Div", clip, net.number(6.0), shape=shape)
    return net.keep(net.op("Mul", x, gate, shape=shape) if kind == "hswish" else gate)


def norm(net: Net) -> Value | None:
    x = net.pick(least=2, last=4)
    if x is None:
        return None
    shape, width = x.shape, int(x.shape[-1])
    centred = net.one_of([True, True, False])
    if centred and net.opset >= 17 and net.one_of([True, False, False]):
        return net.keep(net.op("LayerNormalization", x, net.weight(width), net.weight(width), shape=shape))
    d = net.op("Sub", x, _mean(net, x), shape=shape) if centred else x
    square = (
        net.op("Mul", d, d, shape=shape)
        if net.one_of([True, False])
        else net.op("Pow", d, net.number(2.0), shape=shape)
    )
    root = net.op("Sqrt", net.op("Add", _mean(net, square), net.number(0.1), shape=shape), shape=(*shape[:-1], 1))
    if net.one_of([True, False]):
        y = net.op("Div", d, root, shape=shape)
    else:
        y = net.op("Mul", d, net.op("Reciprocal", root, shape=root.shape), shape=shape)
    if net.one_of([True, False]):
        y = net.op("Mul", y, net.weight(width), shape=shape)
    return net.keep(net.op("Add", y, net.weight(width), shape=shape) if net.one_of([True, False]) else y)


def _mean(net: Net, x: Value) -> Value:
    shape = (*x.shape[:-1], 1)
    if net.opset < 18:
        return net.op("ReduceMean", x, shape=shape, axes=[-1], keepdims=1)
    return net.op("ReduceMean", x, net.ints(-1), shape=shape, keepdims=1)


def attention(net: Net) -> Value | None:
    """Of two heads, on what has three dims; the keys and values may be another value's of the same width."""
    x = net.pick(rank=3, last=4)
    if x is None or any(isinstance(dim, str) for dim in x.shape[1:]) or int(x.shape[1]) > 16:
        return None
    others = [v for v in net.values if len(v.shape) == 3 and v.shape[0] == x.shape[0] and v.shape[2] == x.shape[2]]
    source = net.one_of([x, net.one_of([v for v in others if isinstance(v.shape[1], int)])])
    length, keys, width = int(x.shape[1]), int(source.shape[1]), int(x.shape[2]) // 2
    q, k, v = (_heads(net, each) for each in (x, source, source))
    turned = net.op("Transpose", k, shape=(x.shape[0], 2, width, keys), perm=[0, 1, 3, 2])
    full = (x.shape[0], 2, length, keys)
    where = net.one_of(["q", "scores", "both", "none"])
    if where in ("q", "both"):
        q = net.op("Mul", q, net.number(0.7), shape=q.shape)
    if where == "both":
        turned = net.op("Mul", turned, net.number(0.7), shape=turned.shape)
    scores = net.op("MatMul", q, turned, shape=full)
    if where == "scores":
        scores = net.op(net.one_of(["Mul", "Div"]), scores, net.number(2.0), shape=full)
    mask = net.one_of([None, (length, keys), (1, 1, length, keys), (keys,), (2, length, keys)])
    if mask is not None:
        scores = net.op("Add", scores, net.weight(*mask), shape=full)
    if net.one_of([True, False, False]):
        net.keep(scores)
    weights = net.op("Softmax", scores, shape=full, axis=-1)
    if net.one_of([True, False]):
        weights = net.op("Where", net.op("IsNaN", weights, shape=full), net.number(0.0), weights, shape=full)
    y = net.op("MatMul", weights, v, shape=(x.shape[0], 2, length, width))
    merged = net.op("Transpose", y, shape=(x.shape[0], length, 2, width), perm=[0, 2, 1, 3])
    return net.keep(net.op("Reshape", merged, net.ints(0, 0, 2 * width), shape=(x.shape[0], length, 2 * width)))


def _heads(net: Net, x: Value) -> Value:
    length, width = int(x.shape[1]), int(x.shape[2])
    if net.one_of([True, False]):
        x = net.op("MatMul", x, net.weight(width, width), shape=x.shape)
    split = net.op(
        "Reshape", x, net.ints(0, net.one_of([0, length]), 2, width // 2), shape=(x.shape[0], length, 2, width // 2)
    )
    return net.op("Transpose", split, shape=(x.shape[0], 2, length, width // 2), perm=[0, 2, 1, 3])


def rotation(net: Net) -> Value | None:
    x = net.pick(rank=4, last=4)
    if x is None or any(isinstance(dim, str) for dim in x.shape):
        return None
    half, shape = int(x.shape[-1]) // 2, x.shape
    a, b = (
        net.op("Slice", x, net.ints(start), net.ints(end), net.ints(-1), shape=(*shape[:-1], half))
        for start, end in ((0, half), (half, 1 << 40))
    )
    turned = net.op("Concat", net.op("Neg", b, shape=b.shape), a, shape=shape, axis=-1)
    table = net.op("Concat", *[net.weight(1, 1, int(shape[2]), half)] * 2, shape=(1, 1, shape[2], shape[3]), axis=-1)
    straight = net.op("Mul", x, table, shape=shape)
    return net.keep(net.op("Add", straight, net.op("Mul", turned, table, shape=shape), shape=shape))


BLOCKS: list[Callable[[Net], Value | None]] = [gelu, activation, norm, norm, attention, attention, rotation]

"""Single nodes and small groups of them: what moves and mixes values."""

from __future__ import annotations

from collections.abc import Callable

from .net import Net, Shape, Value, size

_UNARY = (
    "Relu",
    "Sigmoid",
    "Tanh",
    "Neg",
    "Abs",
    "Softplus",
    "Identity",
    "Elu",
    "LeakyRelu",
    "HardSigmoid",
    "Softsign",
)
_WIDEST = 64


def unary(net: Net) -> Value | None:
    x = net.pick()
    return x and net.keep(net.op(net.one_of(_UNARY), x, shape=x.shape))


def twice(net: Net) -> Value | None:
    """The same node two times over."""
    x = net.pick()
    if x is None:
        return None
    first, second = (net.op("Tanh", x, shape=x.shape) for _ in range(2))
    return net.keep(net.op("Mul", first, second, shape=x.shape))


def dead(net: Net) -> Value | None:
    x = net.pick()
    return x and net.op("Relu", net.op("Sigmoid", x, shape=x.shape), shape=x.shape)


def scaled(net: Net) -> Value | None:
    """With a number, or one per channel: of the second axis, or of the last."""
    x = net.pick()
    if x is None:
        return None
    kind, axis = net.one_of(["Add", "Sub", "Mul", "Div"]), net.one_of([1, -1])
    other = net.number(net.one_of([0.0, 1.0, 0.5, 3.0, 2.0]) or (1.0 if kind == "Div" else 0.0))
    channels = x.shape[axis] if len(x.shape) > 1 else None
    if isinstance(channels, int) and net.one_of([True, False]):
        shape = [channels] if axis == -1 else [channels, *(1 for _ in x.shape[2:])]
        other = net.weight(*shape, positive=kind in ("Mul", "Div"))
    operands = (x, other) if kind == "Div" or net.one_of([True, False]) else (other, x)
    return net.keep(net.op(kind, *operands, shape=x.shape))


def joined(net: Net) -> Value | None:
    """Two branches, by an operator or side by side."""
    x = net.pick()
    alike = [value for value in net.values if x is not None and value.shape == x.shape]
    if x is None:
        return None
    y, kind = net.one_of(alike), net.one_of(["Add", "Sub", "Mul", "Max", "Concat"])
    if kind != "Concat":
        return net.keep(net.op(kind, x, y, shape=x.shape))
    axis = net.one_of([a for a, s in enumerate(x.shape) if isinstance(s, int)] or [None])
    if axis is None or size(x.shape) > 512:
        return None
    shape = tuple(2 * s if a == axis and isinstance(s, int) else s for a, s in enumerate(x.shape))
    return net.keep(net.op("Concat", x, y, shape=shape, axis=net.one_of([axis, axis - len(shape)])))


def transposed(net: Net) -> Value | None:
    x = net.pick(least=2)
    if x is None:
        return None
    perm = net.one_of(_PERMS[min(len(x.shape), 4)]) if len(x.shape) <= 4 else None
    if perm is None:
        return None
    return net.keep(net.op("Transpose", x, shape=tuple(x.shape[axis] for axis in perm), perm=perm))


_PERMS = {
    2: [[1, 0]],
    3: [[0, 2, 1], [1, 0, 2], [2, 0, 1]],
    4: [[0, 2, 3, 1], [0, 3, 1, 2], [0, 2, 1, 3], [0, 1, 3, 2]],
}


def reshaped(net: Net) -> Value | None:
    """Without moving a free dim: what comes behind the first one is regrouped."""
    x = net.pick(least=2)
    if x is None or any(isinstance(dim, str) for dim in x.shape[1:]):
        return None
    rest = size(x.shape[1:])
    half = next((factor for factor in (4, 2, 3) if rest % factor == 0), 1)
    target = net.one_of([(rest,), (half, rest // half), (1, rest), (half, 1, rest // half)])
    shape: Shape = (x.shape[0], *target)
    how = net.one_of(["zero", "minus one", "computed", "flatten", "squeeze"])
    if how == "flatten" and len(target) == 1:
        return net.keep(net.op("Flatten", x, shape=shape))
    if how == "squeeze" and 1 in x.shape[1:]:
        axis = x.shape.index(1, 1)
        return net.keep(_squeezed(net, "Squeeze", x, axis, x.shape[:axis] + x.shape[axis + 1 :]))
    if how == "computed":
        first = net.op("Slice", net.op("Shape", x, shape=(len(x.shape),)), net.ints(0), net.ints(1), shape=(1,))
        to = net.op("Concat", first, net.ints(*target), shape=(len(shape),), axis=0)
        return net.keep(net.op("Reshape", x, to, shape=shape))
    numbers = [
        0 if isinstance(x.shape[0], str) or how == "zero" else x.shape[0],
        *target[:-1],
        -1 if how == "minus one" else target[-1],
    ]
    return net.keep(net.op("Reshape", x, net.ints(*[int(number) for number in numbers]), shape=shape))


def unsqueezed(net: Net) -> Value | None:
    x = net.pick()
    if x is None or len(x.shape) > 4:
        return None
    axis = net.one_of(range(1, len(x.shape) + 1))
    return net.keep(_squeezed(net, "Unsqueeze", x, axis, (*x.shape[:axis], 1, *x.shape[axis:])))


def _squeezed(net: Net, operator: str, x: Value, axis: int, shape: Shape) -> Value:
    if net.opset < 13:
        return net.op(operator, x, shape=shape, axes=[axis])
    return net.op(operator, x, net.ints(axis), shape=shape)


def cut(net: Net) -> Value | None:
    """A Slice, or the first of two halves."""
    x = net.pick(last=2)
    if x is None or size(x.shape) < 4:
        return None
    width = int(x.shape[-1]) // 2
    shape = (*x.shape[:-1], width)
    if net.one_of([True, False]):
        start = net.one_of([0, width])
        end = net.one_of([start + width, 1 << 40]) if start else width
        return net.keep(net.op("Slice", x, net.ints(start), net.ints(end), net.ints(-1), shape=shape))
    parts = {"num_outputs": 2} if net.opset >= 18 else {}
    first = net.op("Split", x, shape=shape, outputs=2, axis=-1, **parts)
    return net.keep(net.op("Add", first, Value(f"v{int(first.name[1:]) + 1}", shape), shape=shape))


def reduced(net: Net) -> Value | None:
    x = net.pick(least=2)
    if x is None:
        return None
    shape = (*x.shape[:-1], 1)
    if net.opset < 18:
        return net.keep(net.op("ReduceMean", x, shape=shape, axes=[-1], keepdims=1))
    return net.keep(net.op("ReduceMean", x, net.ints(-1), shape=shape, keepdims=1))


def softmax(net: Net) -> Value | None:
    x = net.pick(least=2)
    return x and net.keep(net.op("Softmax", x, shape=x.shape, axis=-1))


def matrix(net: Net) -> Value | None:
    """MatMul, often with an offset; Gemm for matrices."""
    x = net.pick(least=2, last=1)
    if x is None:
        return None
    width, out = int(x.shape[-1]), net.one_of([4, 8])
    if width > _WIDEST:
        return None
    shape = (*x.shape[:-1], out)
    if len(shape) == 2 and net.one_of([True, False]):
        turned = net.one_of([0, 1])
        weights = net.weight(*((out, width) if turned else (width, out)))
        return net.keep(net.op("Gemm", x, weights, net.weight(out), shape=shape, transB=turned))
    y = net.op("MatMul", x, net.weight(width, out), shape=shape)
    return net.keep(net.op("Add", y, net.weight(out), shape=shape) if net.one_of([True, False]) else y)


def image(net: Net) -> Value | None:
    """What convolutional nets are made of."""
    x = net.pick(rank=4)
    if x is None or not all(isinstance(dim, int) and dim <= 16 for dim in x.shape[1:]):
        return None
    channels = int(x.shape[1])
    kind = net.one_of(["conv", "depthwise", "norm", "padded", "pool", "transposed", "prelu", "clip"])
    if kind in ("conv", "padded"):
        out = net.one_of([2, 4])
        kernel = net.weight(out, channels, 3, 3)
        bias = [net.weight(out)] if net.one_of([True, False]) else []
        if kind == "padded":
            pads = net.ints(0, 0, 1, 1, 0, 0, 1, 1)
            x = net.op("Pad", x, pads, shape=(*x.shape[:2], *(int(d) + 2 for d in x.shape[2:])))
            return net.keep(
                net.op("Conv", x, kernel, *bias, shape=(x.shape[0], out, *(int(d) - 2 for d in x.shape[2:])))
            )
        return net.keep(net.op("Conv", x, kernel, *bias, shape=(x.shape[0], out, *x.shape[2:]), pads=[1, 1, 1, 1]))
    if kind == "depthwise":
        return net.keep(
            net.op("Conv", x, net.weight(channels, 1, 3, 3), shape=x.shape, pads=[1, 1, 1, 1], group=channels)
        )
    if kind == "transposed":
        return net.keep(net.op("ConvTranspose", x, net.weight(channels, 2, 1, 1), shape=(x.shape[0], 2, *x.shape[2:])))
    if kind == "norm":
        values = [net.weight(channels, positive=name in "gv") for name in "gbmv"]
        return net.keep(net.op("BatchNormalization", x, *values, shape=x.shape))
    if kind == "prelu":
        return net.keep(net.op("PRelu", x, net.weight(channels, 1, 1), shape=x.shape))
    if kind == "clip":
        return net.keep(net.op("Clip", net.op("Relu", x, shape=x.shape), "", net.number(0.5), shape=x.shape))
    return net.keep(net.op("GlobalAveragePool", x, shape=(*x.shape[:2], 1, 1)))


def branch(net: Net) -> Value | None:
    """An If over what an input holds, whose branches read values from outside."""
    x = net.pick()
    if x is None:
        return None
    mean = {"axes": [0], "keepdims": 0} if net.opset < 18 else {"keepdims": 0}
    flat = net.op("Reshape", x, net.ints(-1), shape=(1,))
    level = net.op("ReduceMean", flat, shape=(), **mean)
    yes = net.op("Greater", level, net.number(0.1234), shape=())
    ports = ",".join(map(str, x.shape))
    name = net.name()
    net.lines.append(
        f"{name} = If<then_branch = t () => (float[{ports}] {name}t) {{ {name}a = Tanh({x.name}) "
        f"{name}b = Tanh({x.name}) {name}t = Add({name}a, {name}b) }}, "
        f"else_branch = e () => (float[{ports}] {name}e) {{ {name}i = Identity({x.name}) {name}e = Neg({name}i) }}>"
        f"({yes.name})"
    )
    return net.keep(Value(name, x.shape))


def loop(net: Net) -> Value | None:
    """Three steps of a Loop that reads a value from outside."""
    x = net.pick()
    if x is None or net.opset < 13:
        return None
    ports, name = ",".join(map(str, x.shape)), net.name()
    three, yes = net.name(), net.name()
    net.lines.append(f"{three} = Constant<value = int64 {{3}}>()")
    net.lines.append(f"{yes} = Constant<value = bool {{1}}>()")
    net.lines.append(
        f"{name} = Loop<body = step (int64 {name}i, bool {name}g, float[{ports}] {name}a) => "
        f"(bool {name}h, float[{ports}] {name}b) {{ {name}h = Identity({name}g) {name}c = Tanh({name}a) "
        f"{name}b = Add({name}c, {x.name}) }}>({three}, {yes}, {x.name})"
    )
    return net.keep(Value(name, x.shape))


MOVES: list[Callable[[Net], Value | None]] = [
    unary, unary, twice, dead, scaled, scaled, joined, joined, transposed, transposed, reshaped, reshaped, unsqueezed,
    cut, reduced, softmax, matrix, matrix, image, image, image, branch, loop,
]  # fmt: skip

"""Random convolutional nets in ONNX's text: a list of moves (numbers) becomes a graph that is always valid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

SIDE = 6


@dataclass
class Net:
    """Values are [1, channels, SIDE, SIDE]; `last` is the newest."""

    channels: dict[str, int] = field(default_factory=lambda: {"x": 3})
    nodes: list[str] = field(default_factory=list)
    weights: dict[str, list[int]] = field(default_factory=dict)
    ints: dict[str, list[int]] = field(default_factory=dict)
    last: str = "x"

    def add(self, text: str, channels: int) -> None:
        """`text` without the result's name."""
        name = f"n{len(self.nodes)}"
        self.nodes.append(f"{name} = {text}")
        self.channels[name] = channels
        self.last = name

    def weight(self, shape: list[int], suffix: str = "") -> str:
        name = f"w{len(self.weights)}{suffix}"
        self.weights[name] = shape
        return name

    def numbers(self, values: list[int]) -> str:
        name = f"i{len(self.ints)}"
        self.ints[name] = values
        return name

    @property
    def width(self) -> int:
        return self.channels[self.last]


def conv(net: Net, pick: int) -> None:
    out = 4 + 2 * (pick % 4)
    weight, bias = net.weight([out, net.width, 3, 3]), net.weight([out])
    net.add(f"Conv<pads=[1,1,1,1]>({net.last}, {weight}, {bias})", out)


def depthwise(net: Net, pick: int) -> None:
    multiple = 1 + pick % 2
    weight = net.weight([net.width * multiple, 1, 3, 3])
    net.add(f"Conv<pads=[1,1,1,1], group={net.width}>({net.last}, {weight})", net.width * multiple)


def grouped(net: Net, pick: int) -> None:
    if net.width % 2:
        return conv(net, pick)
    weight = net.weight([8, net.width // 2, 1, 1])
    return net.add(f"Conv<group=2>({net.last}, {weight})", 8)


def transposed(net: Net, pick: int) -> None:
    group = 2 if pick % 2 and net.width % 2 == 0 else 1
    weight = net.weight([net.width, 6 // group, 3, 3])
    net.add(f"ConvTranspose<pads=[1,1,1,1], group={group}>({net.last}, {weight})", 6)


def depthwise_transposed(net: Net, pick: int) -> None:
    multiple = 1 + pick % 2
    weight = net.weight([net.width, multiple, 3, 3])
    net.add(f"ConvTranspose<pads=[1,1,1,1], group={net.width}>({net.last}, {weight})", net.width * multiple)


def norm(net: Net, pick: int) -> None:
    c = [net.width]
    parts = [net.weight(c, "_positive"), net.weight(c), net.weight(c), net.weight(c, "_positive")]
    if pick % 2:
        return net.add(f"BatchNormalization({net.last}, {', '.join(parts)})", net.width)
    return net.add(f"InstanceNormalization({net.last}, {parts[0]}, {parts[1]})", net.width)


def act(net: Net, pick: int) -> None:
    prelu = f"PRelu({net.last}, {net.weight([net.width, 1, 1])})"
    net.add(["Relu({0})", "Sigmoid({0})", "Tanh({0})", prelu][pick % 4].format(net.last), net.width)


def residual(net: Net, pick: int) -> None:
    same = [name for name, width in net.channels.items() if width == net.width]
    op = ("Add", "Mul", "Sub", "Max")[pick % 4]
    net.add(f"{op}({net.last}, {same[pick % len(same)]})", net.width)


def scale(net: Net, pick: int) -> None:
    shape = [[net.width, 1, 1], [1, net.width, 1, 1], [1, 1, 1], [SIDE, SIDE], [1, net.width, SIDE, SIDE]][pick % 5]
    net.add(f"Mul({net.last}, {net.weight(shape)})", net.width)


def concat(net: Net, pick: int) -> None:
    names = sorted(net.channels)
    other = names[pick % len(names)]
    net.add(f"Concat<axis=1>({net.last}, {other})", net.width + net.channels[other])


def split(net: Net, pick: int) -> None:
    if net.width < 4:
        return
    first = 1 + pick % (net.width - 1)
    one, other = f"n{len(net.nodes)}", f"s{len(net.nodes)}"
    net.nodes.append(f"{one}, {other} = Split<axis=1>({net.last}, {net.numbers([first, net.width - first])})")
    net.channels |= {one: first, other: net.width - first}
    net.last = one if pick % 2 else other


def cut_out(net: Net, pick: int) -> None:
    if net.width < 4:
        return
    starts, ends = net.numbers([1]), net.numbers([net.width - pick % 2])
    net.add(f"Slice({net.last}, {starts}, {ends}, {net.numbers([1])})", net.width - 1 - pick % 2)


def squeeze_excite(net: Net, pick: int) -> None:
    start, width = net.last, net.width
    net.add(f"GlobalAveragePool({start})" if pick % 2 else f"ReduceMean({start}, {net.numbers([2, 3])})", width)
    net.add(f"Conv({net.last}, {net.weight([4, width, 1, 1])})", 4)
    net.add(f"Relu({net.last})", 4)
    net.add(f"Conv({net.last}, {net.weight([width, 4, 1, 1])})", width)
    for name in [f"n{len(net.nodes) - turn}" for turn in (1, 2, 3, 4)]:
        del net.channels[name]  # no other move may read what has no space
    net.add(f"Mul({start}, n{len(net.nodes) - 1})", width)


def attend(net: Net, pick: int) -> None:
    """One channel for all: it is stretched over them."""
    start, width = net.last, net.width
    net.add(f"Conv({start}, {net.weight([1, width, 1, 1])})", 1)
    net.add(f"Mul({start}, {net.last})", width)


def shuffle(net: Net, pick: int) -> None:
    width, start = net.width, net.last
    if width % 2:
        return
    for text in (
        f"Reshape({start}, {net.numbers([1, 2, width // 2, SIDE, SIDE])})",
        f"Transpose<perm=[0,2,1,3,4]>(n{len(net.nodes)})",
    ):
        net.add(text, width)
        del net.channels[net.last]
    net.add(f"Reshape({net.last}, {net.numbers([1, width if pick % 2 else -1, SIDE, SIDE])})", width)


def channels_last(net: Net, pick: int) -> None:
    """There and back, with a product over the channels between."""
    width, start = net.width, net.last
    net.add(f"Transpose<perm=[0,2,3,1]>({start})", width)
    del net.channels[net.last]
    net.add(f"MatMul({net.last}, {net.weight([width, 6])})", 6)
    del net.channels[net.last]
    net.add(f"Add({net.last}, {net.weight([6])})", 6)
    del net.channels[net.last]
    if pick % 3 == 0:
        net.add(f"LayerNormalization({net.last}, {net.weight([6])})", 6)
        del net.channels[net.last]
    net.add(f"Transpose<perm=[0,3,1,2]>({net.last})", 6)


def mix(net: Net, pick: int) -> None:
    """What must freeze: a softmax over the channels, a sum of all of them, padding, running sums."""
    width = net.width
    if pick % 4 == 0:
        net.add(f"Softmax<axis=1>({net.last})", width)
    elif pick % 4 == 1:
        net.add(f"LRN<size=3>({net.last})", width)
    elif pick % 4 == 2:
        net.add(f"Pad({net.last}, {net.numbers([0, 1, 0, 0, 0, 0, 0, 0])})", width + 1)
    else:
        net.add(f"CumSum({net.last}, {net.numbers([1])})", width)


def same_size(net: Net, pick: int) -> None:
    width = net.width
    if pick % 3 == 0:
        net.add(f"MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>({net.last})", width)
    elif pick % 3 == 1:
        net.add(f'Resize<mode="nearest">({net.last}, , , {net.numbers([1, width, SIDE, SIDE])})', width)
    else:
        net.add(f"Pad({net.last}, {net.numbers([0, 0, 0, 0, 0, 0, 0, 0])})", width)


MOVES: Sequence[Callable[[Net, int], None]] = (
    conv, conv, depthwise, grouped, transposed, depthwise_transposed, norm, act, residual, residual, scale, concat,
    split, cut_out, squeeze_excite, attend, shuffle, channels_last, mix, same_size,
)  # fmt: skip


def head(net: Net, pick: int) -> None:
    """From channels to five numbers."""
    width, wide = net.width, net.width * SIDE * SIDE
    if pick % 4 == 0:
        net.add(f"GlobalAveragePool({net.last})", width)
        net.add(f"Flatten({net.last})", width)
        net.add(f"Gemm<transB=1>({net.last}, {net.weight([5, width])}, {net.weight([5])})", 5)
    elif pick % 4 == 1:
        net.add(f"Flatten({net.last})", wide)
        net.add(f"Gemm({net.last}, {net.weight([wide, 8])}, {net.weight([8])})", 8)
        net.add(f"Gemm({net.last}, {net.weight([8, 5])}, {net.weight([1])})", 5)
    elif pick % 4 == 2:
        net.add(f"Transpose<perm=[0,2,3,1]>({net.last})", width)
        net.add(f"Reshape({net.last}, {net.numbers([1, -1])})", wide)
        net.add(f"MatMul({net.last}, {net.weight([wide, 5])})", 5)
    else:
        net.add(f"Reshape({net.last}, {net.numbers([0, wide])})", wide)
        net.add(f"MatMul({net.last}, {net.weight([wide, 5])})", 5)
    net.nodes.append(f"y = Identity({net.last})")


def build(moves: Sequence[tuple[int, int]], end: int) -> tuple[str, dict[str, list[int]], dict[str, list[int]]]:
    """Text, weights and integers for tests/graphs/worker.py."""
    net = Net()
    conv(net, 1)
    for move, pick in moves:
        MOVES[move % len(MOVES)](net, pick)
    head(net, end)
    body = f"(float[1,3,{SIDE},{SIDE}] x) => (float[1,5] y) {{ {'  '.join(net.nodes)} }}"
    return f'<ir_version: 8, opset_import: ["" : 18]> g {body}', net.weights, net.ints

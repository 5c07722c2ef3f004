"""One rule per quantiser: the standard operators that compute the same."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from . import walk, writing

_CHANNEL_AXIS = {2: "NC", 3: "NWC", 4: "NCHW"}  # the layout meant where a MultiThreshold names none


@dataclass(frozen=True)
class Quantiser:
    """The node, what is written in its place, and what is known beforehand. integers: whether all that is computed
    is quantised to eight bits, so that QuantizeLinear and DequantizeLinear say it."""

    node: Any
    writer: writing.Writer
    stored: writing.Stored
    ranks: dict[str, int]
    integers: bool

    @cached_property
    def attributes(self) -> dict[str, Any]:
        return writing.attributes(self.node)

    def attribute(self, name: str, default: Any = None) -> Any:
        if name not in self.attributes and default is None:
            raise self.refused(f"the attribute {name} is missing")
        return self.attributes.get(name, default)

    def number(self, position: int, what: str) -> Any:
        """A stored input, as float64 of any shape."""
        name = self.node.input[position] if position < len(self.node.input) else ""
        array = self.stored.get(name)
        if array is None:
            raise self.refused(f"its {what} is not stored in the file")
        return array.astype(np.float64)

    def bits(self, position: int, what: str) -> float:
        """A stored width in bits: one for all channels, as in QONNX's own executor."""
        array = self.number(position, what)
        if array.size != 1 or array.item() < 1:
            raise self.refused(f"its {what} is {array.tolist()}")
        return float(array.item())

    def is_all(self, position: int, number: float) -> bool:
        array = self.stored.get(self.node.input[position])
        return array is not None and bool((array == number).all())

    def refused(self, why: str) -> Refused:
        return Refused(
            f"the quantiser {self.node.name!r} cannot be written in standard operators: {why}",
            kind="unsupported",
            node=self.node.name,
            op=walk.qualified(self.node),
        )

    def finish(self, value: str) -> None:
        """The node's output is what the last written node makes."""
        last = self.writer.nodes[-1]
        assert last.output[0] == value
        last.output[0] = self.node.output[0]


def quant(q: Quantiser) -> None:
    """(round(clip(x / scale + zero)) - zero) * scale; with one signed bit, the sign times scale."""
    if len(q.node.input) != 4:
        raise q.refused(f"it has {len(q.node.input)} inputs, and four are known: x, scale, zero point, bit width")
    bits, signed, narrow = q.bits(3, "bit width"), bool(q.attribute("signed")), bool(q.attribute("narrow"))
    if q.integers and is_eight_bit(q.node, q.stored):
        _as_qdq(q, signed=signed)
        return
    if q.integers and _as_stored_integers(q, bits, signed=signed, narrow=narrow):
        return
    y = _scaled_down(q)
    if signed and bits == 1:
        y = _sign(q, y)
    else:
        y = _rounded(q, _clipped(q, y, *limits(bits, signed=signed, narrow=narrow)))
    q.finish(_scaled_up(q, y))


def bipolar(q: Quantiser) -> None:
    """The sign of x (that of 0 is +) times scale."""
    y = _sign(q, q.node.input[0])
    q.finish(q.writer.op("Mul", y, q.node.input[1]))


def trunc(q: Quantiser) -> None:
    """Drop low bits: with five inputs the width of the output says how many, with six (version 2) its scale does."""
    if len(q.node.input) not in (5, 6):
        raise q.refused(f"it has {len(q.node.input)} inputs; five and six are known")
    writer, newer = q.writer, len(q.node.input) == 6
    if newer:
        bits = q.bits(5, "output bit width")
        step = 2.0 ** np.round(np.log2(q.number(4, "output scale") / q.number(1, "scale")))
    else:
        step = 2.0 ** (q.bits(3, "input bit width") - q.bits(4, "output bit width"))
    y = writer.op("Div", writer.op("Round", _scaled_down(q)), writer.constant(step, "step"))
    if newer:
        lowest, highest = limits(bits, signed=bool(q.attribute("signed", 1)), narrow=bool(q.attribute("narrow", 0)))
        y = _clipped(q, y, lowest, highest)
    y = _rounded(q, y, default="FLOOR")
    if newer:
        y = writer.op("Sub", y, writer.constant(q.number(2, "zero point") / step, "zero"))
        q.finish(writer.op("Mul", y, q.node.input[4]))
    else:
        q.finish(_scaled_up(q, y))


def multi_threshold(q: Quantiser) -> None:
    """How many of its channel's thresholds a number reaches, times scale, plus bias. Thresholds: [C or 1, T]."""
    writer, thresholds = q.writer, q.number(1, "thresholds")
    layout = str(q.attributes.get("data_layout", ""))
    rank = len(layout) or q.ranks.get(q.node.input[0], 0)
    if not layout and rank < 5:
        layout = _CHANNEL_AXIS.get(rank, "")
        if not layout:
            raise q.refused(f"its input has the rank {rank or 'unknown'}, and it names no layout")
    if thresholds.ndim != 2:
        raise q.refused(f"its thresholds have the shape {list(thresholds.shape)}, not [channels, steps]")
    shape = [1] * rank + [thresholds.shape[1]]
    shape[layout.index("C") if "C" in layout else 1] = thresholds.shape[0]
    spread = writer.op("Unsqueeze", q.node.input[0], writer.constant([-1], "last", np.int64))
    reached = writer.op("GreaterOrEqual", spread, writer.constant(thresholds.reshape(shape), "thresholds"))
    count = writer.op(
        "ReduceSum", writer.op("Cast", reached, to=1), writer.constant([-1], "summed", np.int64), keepdims=0
    )
    scaled = writer.op("Mul", count, writer.constant(q.attribute("out_scale", 1.0), "out_scale"))
    q.finish(writer.op("Add", scaled, writer.constant(q.attribute("out_bias", 0.0), "out_bias")))


def average_pool(q: Quantiser) -> None:
    """The sum over the window, shifted right to the output's bits (FINN's pooling of integers)."""
    writer, size, stride = q.writer, int(q.attribute("kernel")), int(q.attribute("stride"))
    layout = q.attribute("data_layout", "NCHW")
    if layout not in ("NCHW", "NHWC"):
        raise q.refused(f"its layout is {layout}")
    most = (2 ** int(q.attribute("ibits")) - 1) * size * size
    shift = max(most.bit_length() - int(q.attribute("obits")), 0)
    x = q.node.input[0]
    if layout == "NHWC":
        x = writer.op("Transpose", x, perm=[0, 3, 1, 2])
    mean = writer.op("AveragePool", x, kernel_shape=[size, size], strides=[stride, stride])
    total = writer.op("Round", writer.op("Mul", mean, writer.constant(size * size, "window")))
    y = writer.op("Floor", writer.op("Div", total, writer.constant(2.0**shift, "shift")))
    q.finish(writer.op("Transpose", y, perm=[0, 2, 3, 1]) if layout == "NHWC" else y)


def xnor_popcount(q: Quantiser) -> None:
    """How many bits agree: for matrices of 0 and 1, a @ b + (1 - a) @ (1 - b)."""
    writer = q.writer
    one = writer.constant(1.0, "one")
    same = writer.op("MatMul", q.node.input[0], q.node.input[1])
    unset = [writer.op("Sub", one, name) for name in q.node.input[:2]]
    q.finish(writer.op("Add", same, writer.op("MatMul", *unset)))


def limits(bits: float, *, signed: bool, narrow: bool) -> tuple[float, float]:
    """The smallest and largest integer of so many bits; a narrow range has one less."""
    if signed:
        return -(2.0 ** (bits - 1)) + narrow, 2.0 ** (bits - 1) - 1
    return 0.0, 2.0**bits - 1 - narrow


def is_eight_bit(node: Any, stored: writing.Stored) -> bool:
    """Whether QuantizeLinear computes the very same: it adds the zero point behind the rounding, so that must be 0."""
    if node.op_type not in ("Quant", "IntQuant") or len(node.input) != 4:
        return False
    given, (scale, zero, bits) = writing.attributes(node), (stored.get(name) for name in node.input[1:])
    return (
        bits is not None
        and bits.size == 1
        and float(bits.item()) == 8
        and given.get("narrow") == 0
        and "signed" in given
        and str(given.get("rounding_mode", "ROUND")).upper() in ("ROUND", "HALF_EVEN")
        and zero is not None
        and not zero.any()
        and scale is not None
        and scale.size == 1
        and float(scale.item()) > 0
    )


def _as_qdq(q: Quantiser, *, signed: bool) -> None:
    writer, scale = q.writer, q.stored.get(q.node.input[1])
    step = writer.constant(scale.reshape(()), "scale")
    zero = writer.constant(0, "zero_point", np.int8 if signed else np.uint8)
    q.finish(writer.op("DequantizeLinear", writer.op("QuantizeLinear", q.node.input[0], step, zero), step, zero))


def _as_stored_integers(q: Quantiser, bits: float, *, signed: bool, narrow: bool) -> bool:
    """A weight of at most eight bits as int8 or uint8 and DequantizeLinear, with a scale for all or along one axis.
    Whether it is one."""
    weight, scale = q.stored.get(q.node.input[0]), q.stored.get(q.node.input[1])
    rounding = str(q.attribute("rounding_mode", "ROUND")).upper()
    if weight is None or scale is None or not q.is_all(2, 0) or not 1 < bits <= 8 or bits != int(bits):
        return False
    axes = [axis for axis, size in enumerate(scale.shape) if size > 1]
    if len(axes) > 1 or (axes and scale.ndim != weight.ndim) or rounding not in ("ROUND", "HALF_EVEN"):
        return False
    lowest, highest = limits(bits, signed=signed, narrow=narrow)
    numbers = np.round(np.clip(weight / scale, lowest, highest))
    stored = q.writer.constant(numbers, "integers", np.int8 if signed else np.uint8)
    step = q.writer.constant(scale.reshape(-1 if axes else ()), "scale")
    zero = q.writer.constant(np.zeros(scale.size if axes else ()), "zero_point", np.int8 if signed else np.uint8)
    axis: dict[str, Any] = {"axis": axes[0]} if axes else {}
    q.finish(q.writer.op("DequantizeLinear", stored, step, zero, **axis))
    return True


def _scaled_down(q: Quantiser) -> str:
    """x / scale + zero"""
    x = q.node.input[0] if q.is_all(1, 1) else q.writer.op("Div", q.node.input[0], q.node.input[1])
    return x if q.is_all(2, 0) else q.writer.op("Add", x, q.node.input[2])


def _scaled_up(q: Quantiser, y: str) -> str:
    """(y - zero) * scale"""
    y = y if q.is_all(2, 0) else q.writer.op("Sub", y, q.node.input[2])
    return y if q.is_all(1, 1) else q.writer.op("Mul", y, q.node.input[1])


def _clipped(q: Quantiser, y: str, lowest: float, highest: float) -> str:
    return q.writer.op("Clip", y, q.writer.constant(lowest, "lowest"), q.writer.constant(highest, "highest"))


def _sign(q: Quantiser, y: str) -> str:
    writer = q.writer
    positive = writer.op("GreaterOrEqual", y, writer.constant(0.0, "threshold"))
    return writer.op("Where", positive, writer.constant(1.0, "plus"), writer.constant(-1.0, "minus"))


def _rounded(q: Quantiser, y: str, *, default: str = "ROUND") -> str:
    writer, mode = q.writer, str(q.attribute("rounding_mode", default)).upper()
    if mode in ("ROUND", "HALF_EVEN"):
        return writer.op("Round", y)
    if mode in ("CEIL", "FLOOR"):
        return writer.op(mode.capitalize(), y)
    if mode not in ("UP", "DOWN", "HALF_UP", "HALF_DOWN"):
        raise q.refused(f"its rounding mode is {mode}")
    size = writer.op("Abs", y)
    if mode.startswith("HALF"):
        half = writer.constant(0.5, "half")
        size = writer.op("Add" if mode == "HALF_UP" else "Sub", size, half)
    whole = writer.op("Floor" if mode in ("DOWN", "HALF_UP") else "Ceil", size)
    return writer.op("Mul", writer.op("Sign", y), whole)

"""A model in ONNX -> a TFLite graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import (  # noqa: F401 - each registers its handlers
    convolving,
    elementwise,
    images,
    pooling,
    products,
    quantising,
    recurrent,
    reducing,
    shaping,
)
from .graph import Graph, Op, Quant, Tensor
from .handlers import HANDLERS
from .reading import Source, read
from .scope import Order, Scope, held_as, plain

_HALVED = 16  # elements; of smaller constants the DEQUANTIZE would be larger than what is saved
_OUT = {"float16", "float64", "uint64", "bfloat16"}


@dataclass(frozen=True)
class Lowered:
    """`ports`: by name, how what the graph takes and gives differs from the contract: `order` (axis i of the contract
    is axis order[i] here), and `scale` and `zero` where it is in int8 levels."""

    graph: Graph
    ports: Mapping[str, Mapping[str, Any]]


def lower(path: Path, *, native: bool = False, integer: bool = False, half: bool = False) -> Lowered:
    """`native`: inputs and outputs lie as the graph has them: images with their channels last, and in the levels of
    8 bits where it computes in these; else they are the contract's. `integer`: see `Scope`. `half`: constants
    in float16. Raises Refused with the node that cannot be lowered."""
    source = read(path)
    _refuse_unknown(source)
    s = Scope(source, integer=integer)
    ports: dict[str, dict[str, Any]] = {}
    for name in source.inputs:
        ports[name] = _take(s, name, native)
    for node in source.nodes:
        if id(node) not in s.done:
            try:
                HANDLERS[node.op](s, node)
            except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
                # Handlers take a node to be as its schema has it: how many inputs there are, ranks, types of settings.
                raise node.refuse(f"cannot be translated in this form ({type(error).__name__}: {error})") from error
    for name in source.outputs:
        ports[name] = _give(s, name, native)
    s.graph.drop_unused()
    if half:
        _halve(s)
    return Lowered(s.graph, ports)


def _refuse_unknown(source: Source) -> None:
    unknown = [node for node in source.nodes if node.op not in HANDLERS]
    if unknown:
        others = sorted({node.op for node in unknown} - {unknown[0].op})
        also = f" (nor are {', '.join(others)})" if others else ""
        raise unknown[0].refuse(f"is not translated to TFLite{also}")


def _take(s: Scope, name: str, native: bool) -> dict[str, Any]:
    """An input. Natively: as the first operators that read it want it."""
    dtype, shape = s.source.types[name]
    order = _wanted_order(s, name) if native else plain(len(shape))
    quant = _wanted_levels(s, name) if native else None
    laid = [0] * len(shape)
    for axis, place in enumerate(order):
        laid[place] = shape[axis]
    given = Tensor(s.name(name), tuple(laid), "int8" if quant else dtype, quant=quant)
    s.graph.inputs[name] = given
    tensor = given
    if held_as(dtype) != dtype:
        tensor = s.emit("CAST", [given], given.shape, held_as(dtype), name=name + "/cast")
    levels = dtype in ("int8", "uint8")
    s.bind(name, tensor, order, levels=levels)
    found: dict[str, Any] = {}
    if order != plain(len(shape)):
        found["order"] = list(order)
    if quant:
        found |= {"scale": quant.scale[0], "zero": quant.zero[0]}
    return found


def _wanted_order(s: Scope, name: str) -> Order:
    """Channels last where an image goes into a layer, perhaps through its quantiser."""
    rank = len(s.source.types[name][1])
    if rank != 4:
        return plain(rank)
    waiting, seen = [name], set()
    while waiting:
        for node in s.readers.get(waiting.pop(), []):
            if node.op in ("QuantizeLinear", "DequantizeLinear", "Relu", "Clip", "Cast", "Identity"):
                waiting += [each for each in node.outputs if each not in seen]
                seen.update(node.outputs)
            elif node.op in ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "Resize", "BatchNormalization"):
                return (0, 3, 1, 2)
    return plain(rank)


def _wanted_levels(s: Scope, name: str) -> Quant | None:
    """Of an input that is rounded before anything else is done with it."""
    if s.source.types[name][0] != "float32":
        return None
    readers = s.readers.get(name, [])
    quants = {s.levels_of(node) if node.op == "QuantizeLinear" else None for node in readers}
    return quants.pop() if len(quants) == 1 else None


def _give(s: Scope, name: str, native: bool) -> dict[str, Any]:
    """An output, in a tensor of its own that has its name."""
    found, dtype = s.value(name), s.source.types[name][0]
    value = found if native and found.is_int8 else found if found.levels else s.real(name)
    rank = len(value.order)
    keeps_order = native and rank == 4 and value.tensor.data is None
    order = value.order if keeps_order else plain(rank)
    tensor = s.laid(value, order)
    if dtype == "uint8" and tensor.dtype == "int8" and tensor.quant is not None:
        quant = Quant(tensor.quant.scale, (tensor.quant.zero[0] + 128,))
        tensor = s.emit("QUANTIZE", [tensor], tensor.shape, "uint8", name=name, quant=quant)
    if dtype in _OUT:
        tensor = s.emit("CAST", [tensor], tensor.shape, dtype, name=name)
    makers = [op for op in s.graph.ops if tensor in op.outputs]
    taken = any(tensor is each for each in s.graph.outputs.values())
    if not makers or taken:  # an input or a constant as it is, or one value under two names
        shape = s.ints(name + "/shape", tensor.shape)
        tensor = s.emit("RESHAPE", [tensor, shape], tensor.shape, tensor.dtype, name=name, quant=tensor.quant)
    _rename(s, tensor, name)
    s.graph.outputs[name] = tensor
    ports: dict[str, Any] = {} if order == plain(rank) else {"order": list(order)}
    if native and tensor.quant is not None and not found.levels:
        ports |= {"scale": tensor.quant.scale[0], "zero": tensor.quant.zero[0]}
    return ports


def _rename(s: Scope, tensor: Tensor, name: str) -> None:
    """The contract's name is its own alone."""
    for other in s.graph.tensors():
        if other.name == name and other is not tensor:
            other.name = s.name(name + "/inner")
    tensor.name = name


def _halve(s: Scope) -> None:
    """Float constants in half precision, widened before they are used. One that does not fit stays as it is."""
    widened: dict[int, Tensor] = {}
    ops: list[Op] = []
    for op in s.graph.ops:
        for index, tensor in enumerate(op.inputs):
            if tensor is None or tensor.data is None or tensor.dtype != "float32" or tensor.data.size < _HALVED:
                continue
            if id(tensor) not in widened:
                with np.errstate(over="ignore"):
                    half = tensor.data.astype(np.float16)
                if not np.isfinite(half).all():
                    continue
                stored = Tensor(s.name(tensor.name + "/half"), tensor.shape, "float16", half)
                widened[id(tensor)] = Tensor(tensor.name, tensor.shape, "float32")
                ops.append(Op("DEQUANTIZE", [stored], [widened[id(tensor)]]))
            op.inputs[index] = widened[id(tensor)]
        ops.append(op)
    s.graph.ops = ops


def supported() -> list[str]:
    """The ONNX operators that are lowered, or are not operators any more once the graph is lowered."""
    return sorted({*HANDLERS, "Constant", "ConstantOfShape", "Range", "Shape", "Size"})

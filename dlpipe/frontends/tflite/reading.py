"""A .tflite file as data: subgraphs, tensors, operators. Nothing is believed that the file does not bear out."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit.flatbuffer import File, Table, damaged
from .schema import OPERATORS, OPTIONS, OPTIONS_OF, SECOND, TYPES
from .sparsity import Sparsity, read_sparsity

MAX_RANK = 8

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Quantisation:
    """real = scale * (stored - zero_point); arrays of one element, or of one per index of the dim `axis`."""

    scale: Array
    zero_point: Array
    axis: int

    @property
    def per_channel(self) -> bool:
        return self.scale.size > 1


@dataclass(frozen=True)
class Tensor:
    """`shape`: None for a dim that is free. `data`: the bytes of a constant."""

    index: int
    name: str
    dtype: str  # of the schema: also "int4", "string", "resource"
    shape: tuple[int | None, ...]
    quantisation: Quantisation | None
    data: memoryview | None
    variable: bool
    sparsity: Sparsity | None  # where not all of its values are stored


@dataclass(frozen=True)
class Operator:
    """Tensors by index; -1: an optional input that is left out. `options` has every field, with defaults."""

    index: int
    op: str  # of the schema; for a custom one its own name
    custom: bool
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...]  # tensors that only hold scales of numbers within the operator
    options: Mapping[str, Any]
    custom_options: bytes

    def refuse(self, reason: str, hint: str | None = None) -> Refused:
        return Refused(
            f"{self.op} {reason}", kind="unsupported", node=f"{self.op} ({self.index})", op=self.op, hint=hint
        )


@dataclass(frozen=True)
class Subgraph:
    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Model:
    description: str
    subgraphs: tuple[Subgraph, ...]
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    signatures: Mapping[str, Any] = field(default_factory=dict)  # name -> {"inputs": {name: tensor}, "outputs": ...}
    legacy_axes: tuple[int, ...] = ()  # bytes at which a vector's quantised dim is that of another tensor


def read(path: Path) -> Model:
    """Raises Refused for what is no TFLite model, or a damaged one."""
    if path.stat().st_size < 8:
        raise damaged("it is shorter than any model")
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if data[4:8] != b"TFL3":
        raise Refused(f"{path.name} is not a TFLite model of schema version 3")
    return _Reader(data).model()


class _Reader:
    def __init__(self, data: Any) -> None:
        self.file = File(data)
        self.root = self.file.root()
        self.buffers: list[memoryview] = []
        self.codes: list[tuple[str, bool, int]] = []
        self.legacy: list[int] = []

    def model(self) -> Model:
        version = self.root.number(0, "uint32")
        if version != 3:
            raise Refused(f"its schema has the version {version}; 3 is the only one in use", kind="unsupported")
        self.buffers = [self._buffer(each) for each in self.root.tables(4)]
        self.codes = [self._code(each) for each in self.root.tables(1)]
        subgraphs = tuple(self._subgraph(each) for each in self.root.tables(2))
        if not subgraphs:
            raise damaged("it holds no graph")
        metadata = {}
        for each in self.root.tables(6):
            metadata[each.text(0)] = bytes(self._bytes(each.number(1, "uint32")))
        signatures = {each.text(2): self._signature(each, subgraphs) for each in self.root.tables(7)}
        return Model(self.root.text(3), subgraphs, metadata, signatures, tuple(self.legacy))

    def _signature(self, table: Table, subgraphs: tuple[Subgraph, ...]) -> dict[str, dict[str, str]]:
        index = table.number(4, "uint32")
        if index >= len(subgraphs):
            raise damaged(f"a signature is of the graph {index}, and there are {len(subgraphs)}")
        tensors = subgraphs[index].tensors
        found: dict[str, dict[str, str]] = {}
        for side, slot in (("inputs", 0), ("outputs", 1)):
            found[side] = {}
            for each in table.tables(slot):
                number = each.number(1, "uint32")
                if number >= len(tensors):
                    raise damaged(f"a signature names the tensor {number}, and there are {len(tensors)}")
                found[side][each.text(0)] = tensors[number].name
        return found

    def _buffer(self, table: Table) -> memoryview:
        offset, size = table.number(1, "uint64"), table.number(2, "uint64")
        if offset > 1 and size:  # kept behind the FlatBuffer: larger than 2 GB
            self.file.check(offset, size)
            return memoryview(self.file.data)[offset : offset + size]
        return table.view(0)

    def _bytes(self, index: int) -> memoryview:
        if index >= len(self.buffers):
            raise damaged(f"it has {len(self.buffers)} buffers, and one is said to be number {index}")
        return self.buffers[index]

    def _code(self, table: Table) -> tuple[str, bool, int]:
        # Numbers above 127 came after the field of one byte was full.
        number = max(table.number(0, "int8"), table.number(3, "int32"))
        if not 0 <= number < len(OPERATORS):
            raise Refused(f"it has an operator number {number}, newer than the schema known here", kind="unsupported")
        name = OPERATORS[number]
        custom = name == "CUSTOM"
        return (
            (table.text(1) or "a custom operator without a name") if custom else name,
            custom,
            table.number(2, "int32", 1),
        )

    def _subgraph(self, table: Table) -> Subgraph:
        tensors = tuple(self._tensor(index, each) for index, each in enumerate(table.tables(0)))
        count = len(tensors)
        operators = tuple(self._operator(index, each, count) for index, each in enumerate(table.tables(3)))
        inputs, outputs = (_indices(table.array(slot, "int32"), count) for slot in (1, 2))
        return Subgraph(table.text(4), tensors, inputs, outputs, operators)

    def _tensor(self, index: int, table: Table) -> Tensor:
        number = table.number(1, "int8")
        name = table.text(3) or f"tensor_{index}"
        if not 0 <= number < len(TYPES):
            raise damaged(f"tensor {name!r} has the type number {number}")
        dims, signature = table.array(0, "int32").tolist(), table.array(7, "int32").tolist()
        if len(dims) > MAX_RANK or any(dim < -1 for dim in dims):
            raise damaged(f"tensor {name!r} has the shape {dims[: MAX_RANK + 1]}")
        if len(signature) == len(dims):
            dims = [-1 if free == -1 else dim for dim, free in zip(dims, signature, strict=True)]
        shape = tuple(None if dim == -1 else dim for dim in dims)
        if table.number(10, "uint32"):
            raise Refused(f"the data of {name!r} is in another file", kind="unsupported", node=name)
        data, sparsity = self._bytes(table.number(2, "uint32")), table.table(6)
        return Tensor(
            index,
            name,
            TYPES[number],
            shape,
            self._quantisation(table.table(4), shape, name),
            data if len(data) else None,
            table.number(5, "bool", False),
            read_sparsity(sparsity) if sparsity is not None else None,
        )

    def _quantisation(self, table: Table | None, shape: tuple[int | None, ...], name: str) -> Quantisation | None:
        if table is None:
            return None
        if table.number(4, "uint8"):
            raise Refused(f"{name!r} is quantised by blocks or by a custom scheme", kind="unsupported", node=name)
        scale, zero = table.array(2, "float32"), table.array(3, "int64")
        if scale.size == 0:
            return None
        if zero.size not in (0, 1, scale.size) or not np.isfinite(scale).all() or (scale < 0).any():
            raise damaged(f"the scales of {name!r} are none")
        zero = np.broadcast_to(zero if zero.size else np.zeros(1, np.int64), scale.shape).copy()
        if np.abs(zero).max() > 2**31:
            raise damaged(f"a zero point of {name!r} is {np.abs(zero).max()}")
        axis = table.number(6, "int32")
        if scale.size > 1:
            # Converters of early 2019 wrote the dim of the weights into the biases, too.
            if len(shape) == 1 and axis and (place := table.place(6)) is not None:
                self.legacy.append(place)
                axis = 0
            if not 0 <= axis < len(shape) or shape[axis] != scale.size:
                raise damaged(f"{name!r} has {scale.size} scales for the dim {axis} of {list(shape)}")
        if scale.size == 1 and scale[0] == 0:
            return None
        return Quantisation(scale, zero, axis)

    def _operator(self, index: int, table: Table, count: int) -> Operator:
        code = table.number(0, "uint32")
        if code >= len(self.codes):
            raise damaged(f"operator {index} is of a kind that the file does not list")
        name, custom, version = self.codes[code]
        inputs, outputs, between = (_indices(table.array(slot, "int32"), count) for slot in (1, 2, 8))
        options = {} if custom else self._options(name, table, index)
        own = bytes(table.view(5)) if custom else b""
        return Operator(index, name, custom, version, inputs, outputs, between, options, own)

    def _options(self, name: str, table: Table, index: int) -> dict[str, Any]:
        number, fields = OPTIONS.get(OPTIONS_OF.get(name, name), (0, {}))
        union = 11 if name in SECOND else 3
        given, found = table.number(union, "uint8"), table.table(union + 1)
        if not number:
            return {}
        if given not in (0, number):
            raise damaged(f"operator {index}, {name}, has the options of another operator")
        read: dict[str, Any] = {}
        for key, (slot, kind, default) in fields.items():
            if kind == "ints":
                read[key] = found.array(slot, "int32").tolist() if found else []
            elif kind == "text":
                read[key] = found.text(slot) if found else ""
            else:
                read[key] = found.number(slot, kind, default) if found else default
            if kind.startswith("int"):
                read[key] = read[key] if kind == "ints" else int(read[key])
        known = max((slot for slot, _, _ in fields.values()), default=-1)
        if found and any(found.place(slot) is not None for slot in range(known + 1, found.slots)):
            raise Refused(
                f"{name} has an option newer than the schema known here",
                kind="unsupported",
                node=f"{name} ({index})",
                op=name,
            )
        return read


def _indices(array: Array, count: int) -> tuple[int, ...]:
    found = tuple(int(each) for each in array)
    if any(not -1 <= each < count for each in found):
        raise damaged(f"an operator names a tensor that is not there ({count} are)")
    return found

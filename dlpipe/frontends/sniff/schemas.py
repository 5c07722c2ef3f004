"""Telling apart protocol buffers, which do not say what they are: GraphDef, SavedModel, ONNX, NetDef, Caffe, Paddle ...

Each schema is a table of the field numbers that its top level may have, from its public .proto file, and where its
operators are. A message fits when every top-level field has the wire type that the table says and the operators read
as operators.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from ..kit.wire import BYTES, VARINT, Malformed, fields, text, varint

_OP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.>]*")


@dataclass(frozen=True)
class Schema:
    """`path`: the field numbers that lead from the top level to one operator; `op`: where its type's name is, or its
    number; `inner`: wire types of fields of an operator, where another format would fit as well."""

    format: str
    title: str
    top: dict[int, int]
    path: tuple[int, ...]
    op: int
    required: tuple[int, ...]
    inner: dict[int, int] = field(default_factory=dict)
    must: frozenset[str] = frozenset()  # names without which it is not this format


_CAFFE_TOP = {1: BYTES, 2: BYTES, 3: BYTES, 4: VARINT, 5: VARINT, 6: BYTES, 7: VARINT, 8: BYTES, 100: BYTES}
_GRAPH_TOP = {1: BYTES, 2: BYTES, 3: VARINT, 4: BYTES, 5: BYTES}
SCHEMAS = (
    Schema(
        "tensorflow/saved-model",
        "a TensorFlow SavedModel",
        {1: VARINT, 2: BYTES},
        (2, 2, 1),
        2,
        (1, 2),
    ),
    Schema(
        "onnx/model",
        "an ONNX model",
        {
            1: VARINT,
            2: BYTES,
            3: BYTES,
            4: BYTES,
            5: VARINT,
            6: BYTES,
            7: BYTES,
            8: BYTES,
            14: BYTES,
            20: BYTES,
            25: BYTES,
            26: BYTES,
        },
        (7, 1),
        4,
        (1, 7),
    ),
    Schema("tensorflow/graphdef", "a TensorFlow GraphDef", _GRAPH_TOP, (1,), 2, (1,)),
    Schema(
        "caffe2/netdef",
        "a Caffe2 NetDef",
        {1: BYTES, 2: BYTES, 3: BYTES, 4: VARINT, 5: BYTES, 6: BYTES, 7: BYTES, 8: BYTES, 9: BYTES},
        (2,),
        4,
        (2,),
        {5: BYTES},
    ),
    Schema("caffe/caffemodel", "a Caffe model", _CAFFE_TOP, (100,), 2, (100,)),
    Schema("caffe/caffemodel", "a Caffe model of version 1", _CAFFE_TOP, (2,), 5, (2,), {5: VARINT}),
    Schema(
        "paddle/program",
        "a PaddlePaddle program",
        {1: BYTES, 2: BYTES, 3: BYTES, 4: BYTES, 5: BYTES},
        (1, 4),
        3,
        (1,),
        {4: BYTES},
    ),
    # A dictionary: what stands for operators are its keys.
    Schema(
        "cntk/model",
        "a CNTK version 2 model",
        {1: VARINT, 2: BYTES},
        (2,),
        1,
        (1, 2),
        must=frozenset({"version", "type", "root"}),
    ),
    Schema(
        "tensorflow/metagraph",
        "a TensorFlow MetaGraphDef (the .meta of a checkpoint)",
        {1: BYTES, 2: BYTES, 3: BYTES, 4: BYTES, 5: BYTES, 6: BYTES, 7: BYTES},
        (2, 1),
        2,
        (2,),
    ),
)


@dataclass
class Reading:
    """How far a message could be read as a schema. `broken`: where and why it stops being one."""

    schema: Schema
    operators: Counter[str] = field(default_factory=Counter)
    version: str | None = None
    broken: Malformed | None = None
    misfit: str | None = None

    @property
    def fits(self) -> bool:
        return self.broken is None and self.misfit is None

    @property
    def begins(self) -> bool:
        """Whether it is this format with a damaged end: enough operators were read to be no accident."""
        return self.misfit is None and sum(self.operators.values()) >= 2


def may_begin(head: bytes) -> bool:
    """Whether the first field of a message is one that some schema has."""
    try:
        key, _ = varint(memoryview(head), 0)
    except Malformed:
        return False
    return any(schema.top.get(key >> 3) == key & 7 for schema in SCHEMAS)


def read(data: memoryview, schema: Schema) -> Reading:
    """Linear in the size of the data."""
    reading = Reading(schema)
    seen: set[int] = set()
    try:
        for number, wire, value in fields(data):
            if schema.top.get(number) != wire:
                reading.misfit = f"it has a top-level field {number} of wire type {wire}"
                return reading
            seen.add(number)
            if number == schema.path[0] and isinstance(value, memoryview):
                _operators(reading, value, schema.path[1:])
                if reading.misfit:
                    return reading
    except Malformed as error:
        reading.broken = error
        _cut_off(reading, error, schema.path)
        return reading
    missing = [number for number in schema.required if number not in seen]
    if missing:
        reading.misfit = f"it lacks the field {missing[0]}"
    elif not reading.operators or not schema.must <= set(reading.operators):
        reading.misfit = "it holds no operators"
    return reading


def _cut_off(reading: Reading, error: Malformed, path: tuple[int, ...]) -> None:
    """Count the whole operators before the place where a file ends too early."""
    if error.cut is not None and error.cut[0] == path[0] and len(path) > 1:
        try:
            _operators(reading, error.cut[1], path[1:])
        except Malformed as deeper:
            _cut_off(reading, deeper, path[1:])


def _operators(reading: Reading, message: memoryview, path: tuple[int, ...]) -> None:
    """Count the operators below `message`, walking down `path` (at most three levels, so no recursion to speak of)."""
    if not path:
        schema, names = reading.schema, []
        for number, wire, value in fields(message):
            if number == schema.op:
                names.append(f"type_{value}" if wire == VARINT and schema.inner.get(number) == VARINT else text(value))
            if schema.inner.get(number, wire) != wire:
                reading.misfit = "what should be its operators are none"
                return
        if len(names) != 1 or names[0] is None or not _OP_NAME.fullmatch(names[0]):
            reading.misfit = "what should be its operators are none"
            return
        reading.operators[names[0]] += 1
        return
    for number, wire, value in fields(message):
        if number == path[0] and wire == BYTES and isinstance(value, memoryview):
            _operators(reading, value, path[1:])
            if reading.misfit:
                return

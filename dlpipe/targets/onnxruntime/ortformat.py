"""The same .ort file for the same model.

ONNX Runtime writes some vectors of its format (a FlatBuffer) in the order of hash tables that are seeded anew in every
process. `canonical` writes the file again with those vectors sorted: what they hold is found by name, so order means
nothing. Fields as in ONNX Runtime's own `ort.fbs`, format version 5 and 6.
"""

import struct
from typing import Any

import flatbuffers
from flatbuffers import number_types as n

# Field kinds: a number type; "string"; "strings"; (number type,) a vector; bytes per struct (int); "table:T";
# "tables:T" in the order given; "sorted:T" in the order of the table's first field.
_BYTES = (n.Uint8Flags,)
_INTS = (n.Int64Flags,)
_TABLES: dict[str, dict[int, Any]] = {
    "InferenceSession": {0: "string", 1: "table:Model", 3: "table:Resolver"},
    "Model": {
        0: n.Int64Flags,
        1: "sorted:OperatorSetId",
        2: "string",
        3: "string",
        4: "string",
        5: n.Int64Flags,
        6: "string",
        7: "table:Graph",
        8: "string",
        9: "sorted:StringString",
    },
    "Graph": {
        0: "sorted:Tensor",
        1: "sorted:ValueInfo",
        2: "tables:Node",
        3: n.Uint32Flags,
        4: "tables:NodeEdge",
        5: "strings",
        6: "strings",
        7: "tables:SparseTensor",
    },
    "Node": {
        0: "string",
        1: "string",
        2: "string",
        3: n.Int32Flags,
        4: n.Uint32Flags,
        5: "string",
        6: n.Int32Flags,
        7: "string",
        8: "strings",
        9: "strings",
        10: "sorted:Attribute",
        11: (n.Int32Flags,),
        12: "strings",
    },
    "Attribute": {
        0: "string",
        1: "string",
        2: n.Int32Flags,
        3: n.Float32Flags,
        4: n.Int64Flags,
        5: "string",
        6: "table:Tensor",
        7: "table:Graph",
        8: (n.Float32Flags,),
        9: _INTS,
        10: "strings",
        11: "tables:Tensor",
        12: "tables:Graph",
    },
    "Tensor": {0: "string", 1: "string", 2: _INTS, 3: n.Int32Flags, 4: _BYTES, 5: "strings"},
    "SparseTensor": {0: "table:Tensor", 1: "table:Tensor", 2: _INTS},
    "NodeEdge": {0: n.Uint32Flags, 1: 12, 2: 12},
    "ValueInfo": {0: "string", 1: "string", 2: "table:TypeInfo"},
    "TypeInfo": {0: "string", 1: n.Uint8Flags, 2: "union"},
    "TensorType": {0: n.Int32Flags, 1: "table:Shape"},
    "SequenceType": {0: "table:TypeInfo"},
    "MapType": {0: n.Int32Flags, 1: "table:TypeInfo"},
    "Shape": {0: "tables:Dimension"},
    "Dimension": {0: "table:DimensionValue", 1: "string"},
    "DimensionValue": {0: n.Int8Flags, 1: n.Int64Flags, 2: "string"},
    "OperatorSetId": {0: "string", 1: n.Int64Flags},
    "StringString": {0: "string", 1: "string"},
    "Resolver": {0: "sorted:OpArgs"},
    "OpArgs": {0: "string", 1: "sorted:KernelArgs"},
    "KernelArgs": {0: "string", 1: "tables:ArgIndex"},
    "ArgIndex": {0: n.Int8Flags, 1: n.Uint32Flags},
}
_TYPE_UNION = {1: "TensorType", 2: "SequenceType", 3: "MapType"}


def canonical(data: bytes) -> bytes:
    """Raises ValueError when the file has a field that is not in the tables above."""
    if data[4:8] != b"ORTM":
        raise ValueError("not an ORT format model")
    copier = _Copier(data)
    root = copier.table("InferenceSession", _u32(data, 0))
    copier.builder.Finish(root, file_identifier=b"ORTM")
    return bytes(copier.builder.Output())


def _u32(data: bytes, position: int) -> int:
    return int(struct.unpack_from("<I", data, position)[0])


class _Copier:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.builder = flatbuffers.Builder(len(data) + 4096)

    def table(self, name: str, position: int) -> int:
        """Write a table again, what it refers to first; its offset in the new file."""
        schema = _TABLES[name]
        places = self._fields(position)
        if unknown := [slot for slot, place in enumerate(places) if place and slot not in schema]:
            raise ValueError(f"{name} of the ORT format has a field that is not known here: {unknown[0]}")
        union = None
        if name == "TypeInfo" and places[1:] and places[1]:
            union = _TYPE_UNION[self._data[places[1]]]
        made = {slot: self._value(schema[slot], place, union) for slot, place in enumerate(places) if place}
        self.builder.StartObject(len(places))
        for slot, (flags, value) in made.items():
            if flags is None:
                self.builder.PrependUOffsetTRelativeSlot(slot, value, 0)
            else:
                self.builder.PrependSlot(flags, slot, value, 0)
        return int(self.builder.EndObject())

    def _fields(self, position: int) -> list[int]:
        """Where each slot's value stands; 0 for those that are absent."""
        vtable = position - struct.unpack_from("<i", self._data, position)[0]
        count = (struct.unpack_from("<H", self._data, vtable)[0] - 4) // 2
        offsets = struct.unpack_from(f"<{count}H", self._data, vtable + 4)
        return [position + offset if offset else 0 for offset in offsets]

    def _value(self, kind: Any, place: int, union: str | None) -> tuple[Any, Any]:
        """(number type, number), or (None, offset of what was written)."""
        if hasattr(kind, "packer_type"):
            return kind, kind.packer_type.unpack_from(self._data, place)[0]
        target = place + _u32(self._data, place)
        if kind == "string":
            return None, self.builder.CreateSharedString(self._string(target))
        if kind == "union":
            return None, self.table(str(union), target)
        if isinstance(kind, tuple):
            width = kind[0].bytewidth
            return None, self._raw(target, width, 16 if kind is _BYTES else width)
        if isinstance(kind, int):
            return None, self._raw(target, kind, 4)
        word, _, name = str(kind).partition(":")
        if word == "table":
            return None, self.table(name, target)
        return None, self._offsets(word, name, target)

    def _offsets(self, word: str, name: str, target: int) -> int:
        places = [target + 4 + 4 * index for index in range(_u32(self._data, target))]
        items = [place + _u32(self._data, place) for place in places]
        if word == "sorted":
            items.sort(key=self._key)
        made = [self._item(word, name, item) for item in items]
        self.builder.StartVector(4, len(made), 4)
        for offset in reversed(made):
            self.builder.PrependUOffsetTRelative(offset)
        return int(self.builder.EndVector())

    def _item(self, word: str, name: str, position: int) -> int:
        if word == "strings":
            return int(self.builder.CreateSharedString(self._string(position)))
        return self.table(name, position)

    def _key(self, position: int) -> bytes:
        place = self._fields(position)[:1]
        return self._string(place[0] + _u32(self._data, place[0])) if place and place[0] else b""

    def _string(self, target: int) -> bytes:
        return self._data[target + 4 : target + 4 + _u32(self._data, target)]

    def _raw(self, target: int, width: int, alignment: int) -> int:
        """A vector of plain numbers or structs, copied as bytes. Weights stand aligned, to be used in place."""
        count = _u32(self._data, target)
        size = count * width
        self.builder.StartVector(width, count, alignment)
        self.builder.head = self.builder.Head() - size
        self.builder.Bytes[self.builder.Head() : self.builder.Head() + size] = self._data[
            target + 4 : target + 4 + size
        ]
        return int(self.builder.EndVector())

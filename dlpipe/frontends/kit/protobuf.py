"""Protocol buffer messages of formats whose .proto is public but whose package is dead: the schema is a table of ours.

Parsing itself is Google's own library (binary and text), with descriptors built at run time, so nothing is generated
and nothing is registered globally. Unknown fields are kept apart, as the format demands. Runs in the core toolchain.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.message import DecodeError, Message

MAX_BYTES = 2 << 30  # what protocol buffers can hold at all

# message -> {field name: (number, type)}. A type is a scalar ("int32", "float", "string", "bytes", "bool", ...), the
# name of an enum or message of the same table; "*" behind it means repeated, "[]" repeated and packed; "=value" at the
# end is a default. An enum is {name: number}, under a key that begins with "enum ".
Schema = Mapping[str, Mapping[str, Any]]

_Field = descriptor_pb2.FieldDescriptorProto


def classes(schema: Schema, package: str) -> dict[str, type[Message]]:
    """Message name -> class."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    enums = {name.removeprefix("enum ") for name in schema if name.startswith("enum ")}
    for name, fields in schema.items():
        if name.startswith("enum "):
            enum = file.enum_type.add(name=name.removeprefix("enum "))
            for value, number in fields.items():
                enum.value.add(name=value, number=number)
            continue
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add(message, field, number, kind, package, enums)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    messages = [name for name in schema if not name.startswith("enum ")]
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


def _add(message: Any, name: str, number: int, kind: str, package: str, enums: set[str]) -> None:
    kind, _, default = kind.partition("=")
    repeated, packed = kind.endswith(("*", "[]")), kind.endswith("[]")
    kind = kind.rstrip("*[]")
    field = message.field.add(name=name, number=number)
    field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    if packed:
        field.options.packed = True
    if default:
        field.default_value = default
    scalar = _Field.Type.DESCRIPTOR.values_by_name.get(f"TYPE_{kind.upper()}")
    if scalar is not None:
        field.type = scalar.number
    else:
        field.type = _Field.TYPE_ENUM if kind in enums else _Field.TYPE_MESSAGE
        field.type_name = f".{package}.{kind}"


def read_binary(path: Path, message: type[Message], what: str) -> Any:
    """Raises Refused for a file that is not one whole message. `what`: "a Caffe model"."""
    if path.stat().st_size > MAX_BYTES:
        raise Refused(f"{path.name} is larger than any protocol buffer can be: it is not {what}")
    found = message()
    try:
        found.ParseFromString(path.read_bytes())
    except (DecodeError, RecursionError, ValueError) as error:
        raise Refused(
            f"{path.name} is not {what}, or is damaged or cut off: {error}", hint="is the download or copy complete?"
        ) from error
    return found


def numbers(message: Any, field: str, dtype: Any) -> Any:
    """A repeated, packed field of fixed-size numbers as a numpy array, without a Python object for each."""
    held = getattr(message, field)
    alone = type(message)()
    getattr(alone, field).MergeFrom(held)
    data = alone.SerializeToString()  # a tag, a length, and the numbers as they lie in memory
    size = np.dtype(dtype).itemsize * len(held)
    return np.frombuffer(data[len(data) - size :], np.dtype(dtype).newbyteorder("<"))


def read_text(path: Path, message: type[Message], what: str) -> Any:
    """Text format. A field that the schema does not have is an error that names it: nothing is passed over unseen."""
    found = message()
    try:
        text_format.Parse(path.read_text(encoding="utf-8", errors="strict"), found)
    except UnicodeDecodeError as error:
        raise Refused(f"{path.name} is not text, so it is not {what}") from error
    except (text_format.ParseError, RecursionError, ValueError) as error:
        raise Refused(f"{path.name} is not {what} that can be read: {error}") from error
    return found

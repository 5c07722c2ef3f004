"""The net of a Caffe2 model: its prediction net and its initialisation net, read and joined."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

from ..kit.protobuf import read_binary, read_text
from .arguments import Arguments
from .naming import single_assignment
from .schema import NetDef

_WHAT = "a Caffe2 net"
_SUFFIXES = (".pb", ".pbtxt", ".prototxt", ".txt")
_MAX_OPERATORS = 200_000
VALUE_INFO = "value_info.json"  # beside the nets of Caffe2's model zoo: name -> [TensorProto.DataType, dims]


@dataclass
class Operator:
    """`inputs`, `outputs`: values (see naming.py), not blobs. `index`: its place in the joined net."""

    index: int
    type: str
    name: str
    inputs: list[str]
    outputs: list[str]
    args: Arguments
    message: Any
    held: Any = None  # what a fill fills in, once it was read

    @property
    def where(self) -> dict[str, str]:
        return {"node": self.name or next(iter(self.outputs), ""), "op": self.type}


@dataclass
class Net:
    """`files`: those it was read from, the initialisation net first. `last`: blob -> its last value's name."""

    name: str
    operators: list[Operator]
    files: list[str]
    external_inputs: list[str]
    external_outputs: list[str]
    last: dict[str, str]
    value_info: dict[str, Any] = field(default_factory=dict)


def read_net(folder: Path, entry: str) -> Net:
    """entry: the prediction net; the initialisation net is the other net in the folder, if there is one."""
    path = folder / entry
    found = {path.name: _read(path)}
    if not found[path.name].op:
        raise Refused(f"{path.name} holds no operators")
    for other in sorted(each for each in path.parent.iterdir() if each.suffix in _SUFFIXES and each != path):
        message = _try(other)
        if message is not None and message.op:
            found[other.name] = message
    partner = path.name.replace("predict", "init")
    if len(found) > 2 and partner != path.name and partner in found:  # the others may be the same nets as text
        found = {name: found[name] for name in (path.name, partner)}
    if len(found) > 2:
        raise Refused(
            f"there are {len(found)} Caffe2 nets in one folder ({', '.join(sorted(found))}): which belong together?",
            hint="put the prediction net and its initialisation net into a folder of their own",
        )
    names = sorted(found, key=lambda name: (not _initialises(found[name]), name == path.name))
    if all(_initialises(message) for message in found.values()):
        raise Refused(f"{' and '.join(sorted(names))} only fills in weights: the prediction net is missing")
    messages = [found[name] for name in names]
    return _join(messages, names, _value_info(path.parent))


def _initialises(message: Any) -> bool:
    """Whether it only fills in values."""
    return not any(each.input for each in message.op)


def _read(path: Path) -> Any:
    head = path.read_bytes()[:4096]
    binary = b"\x00" in head or not _is_text(head)
    message = (read_binary if binary else read_text)(path, NetDef, _WHAT)
    if any(not each.type for each in message.op):
        raise Refused(f"{path.name} is not {_WHAT}: an operator has no type")
    if any(isinstance(name, bytes) for name in _names(message)):  # how Google's library gives out what is no UTF-8
        raise Refused(f"{path.name} is damaged: a name in it is not text")
    if len(message.op) > _MAX_OPERATORS:
        raise Refused(f"{path.name} claims {len(message.op):,} operators")
    return message


def _names(message: Any) -> Iterator[str | bytes]:
    yield message.name
    yield from message.external_input
    yield from message.external_output
    for op in message.op:
        yield from (op.name, op.type, *op.input, *op.output)
        yield from (each.name for each in op.arg)


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return False
        text = head[: error.start].decode("utf-8")
    return all(each.isprintable() or each in "\r\n\t" for each in text) and (":" in text or "{" in text)


def _try(path: Path) -> Any:
    """The net in a file beside the model; None where it is something else (a label list, a README)."""
    try:
        return _read(path)
    except Refused:
        if path.suffix == ".pb":
            raise
        return None


def _value_info(folder: Path) -> dict[str, Any]:
    path = folder / VALUE_INFO
    if not path.is_file() or path.stat().st_size > 1 << 20:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(f"{VALUE_INFO} beside the model is no JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def _join(messages: Sequence[Any], files: list[str], value_info: dict[str, Any]) -> Net:
    flat = [each for message in messages for each in message.op]
    wiring, last = single_assignment([(each.input, each.output) for each in flat])
    operators = [
        Operator(index, each.type, each.name, inputs, outputs, Arguments(each), each)
        for index, (each, (inputs, outputs)) in enumerate(zip(flat, wiring, strict=True))
    ]
    for each in operators:
        if each.message.is_gradient_op:
            raise Refused("this net trains: it computes gradients", "unsupported", **each.where)
    predict = messages[-1]
    return Net(
        predict.name or "net",
        operators,
        files,
        list(dict.fromkeys(predict.external_input)),
        list(dict.fromkeys(predict.external_output)),
        last,
        value_info,
    )

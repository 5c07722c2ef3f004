"""A .mnn file as operators and tensors. Nothing is converted here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from dlpipe_worker import Refused

from ..kit.flatbuffer import File, Table, damaged
from .schema import OPERATORS, PARAMETERS, TYPES

_MAX_TENSORS = 1 << 20


@dataclass
class Op:
    type: str
    name: str
    inputs: list[int]
    outputs: list[int]
    kind: int  # of the parameters
    main: Table | None

    def fail(self, reason: str, kind: str = "bad-model", hint: str | None = None) -> NoReturn:
        raise Refused(f"operator {self.name} ({self.type}): {reason}", kind, node=self.name, op=self.type, hint=hint)

    def table(self, name: str) -> Table:
        """The parameters, which must be of this table. Raises Refused."""
        if self.main is None or self.kind != PARAMETERS[name]:
            self.fail(f"it has no parameters of the kind {name}")
        return self.main


@dataclass
class Net:
    ops: list[Op]
    tensors: list[str]
    outputs: list[str]


def read_net(path: Path) -> Net:
    """Raises Refused for what is no MNN model, or a damaged one."""
    data = path.read_bytes()
    if len(data) < 16:
        raise damaged("it is shorter than any model")
    file = File(data)
    root = file.root()
    tensors = _texts(root, 7)
    if not tensors or len(tensors) > _MAX_TENSORS:
        raise damaged("it names no tensors")
    ops = [_op(each, len(tensors)) for each in root.tables(3)]
    if not ops:
        raise damaged("it holds no operator")
    return Net(ops, tensors, _texts(root, 4))


def _op(table: Table, tensors: int) -> Op:
    number = int(table.number(5, "int32"))
    inputs, outputs = ([int(each) for each in table.array(slot, "int32")] for slot in (0, 4))
    found = Op(
        OPERATORS.get(number, f"operator {number}"),
        table.text(3)[:256],
        inputs,
        outputs,
        int(table.number(1, "uint8")),
        table.table(2),
    )
    if table.place(7) is not None and table.text(7):
        found.fail("its weights lie in a file of their own", "unsupported")
    if any(not 0 <= each < tensors for each in (*inputs, *outputs)):
        found.fail(f"it names a tensor that is not there (there are {tensors})")
    return found


def _texts(table: Table, slot: int) -> list[str]:
    """A vector of strings."""
    return [bytes(each).decode("utf-8", errors="replace") for each in table.views(slot)]


def read_blob(op: Op, table: Table) -> Any:
    """The array of a Blob. Raises Refused where it holds other numbers than its shape says."""
    dims = [int(each) for each in table.array(0, "int32")]
    kind = int(table.number(2, "int32", 1))
    if kind not in TYPES:
        op.fail(f"it holds numbers of the type {kind}", "unsupported")
    if table.place(9) is not None:
        op.fail("its numbers lie in a file of their own", "unsupported")
    dtype, slot = TYPES[kind]
    found = table.array(slot, "int32" if dtype == "bool" else dtype)
    size = int(np.prod(dims, dtype=np.int64)) if all(0 <= dim < 1 << 31 for dim in dims) else -1
    if size != found.size:
        op.fail(f"it holds {found.size:,} numbers, and its shape is {dims}")
    return found.reshape(dims).astype(dtype)

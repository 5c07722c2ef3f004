"""The NNEF text while it is written: one operation a line, and the tensors that go to files."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import onnx
from dlpipe_worker import Refused

from .folding import Folded, Uniform

_KEYWORDS = {
    "version", "extension", "graph", "fragment", "tensor", "integer", "scalar", "logical", "string", "true", "false",
    "for", "in", "if", "else", "yield", "length_of", "shape_of", "range_of",
}  # fmt: skip


class Ref(str):
    """A name in the text, where a plain str is a string."""

    __slots__ = ()


class Text:
    """`names`: ONNX value -> its name here. `fail` names the node that is being written."""

    def __init__(self, model: Folded) -> None:
        self.model = model
        self.lines: list[str] = []
        self.tensors: dict[str, Any] = {}  # label -> array
        self.names: dict[str, str] = {}
        self.operations = 0
        self._taken: set[str] = set(_KEYWORDS)
        self._ranked: dict[tuple[str, tuple[int, ...]], Ref] = {}
        self.node: Any = None
        self._read = {name for node in model.nodes for name in node.input} | {each.name for each in model.graph.output}

    def fail(self, message: str) -> NoReturn:
        """NNEF has no counterpart for the node. Raises Refused."""
        name, op = (self.node.name or self.node.output[0], self.node.op_type) if self.node is not None else (None, None)
        raise Refused(f"NNEF has no counterpart: {message}", "unsupported", node=name, op=op)

    # -- what is known of values

    def shape(self, name: str) -> list[int]:
        found = self.model.shapes.get(name)
        if found is None:
            self.fail(f"the shape of {name!r} depends on its values")
        return found

    def rank(self, name: str) -> int:
        return len(self.shape(name))

    def array(self, name: str) -> Any:
        """The numbers of a constant; None for a value that is computed, or not there."""
        value = self.model.constants.get(name)
        return value.array() if isinstance(value, Uniform) else value

    def attributes(self, **defaults: Any) -> dict[str, Any]:
        """Of the node. Raises Refused for one that is not among the defaults: nothing is overlooked."""
        given = {each.name: onnx.helper.get_attribute_value(each) for each in self.node.attribute}
        unknown = sorted(set(given) - set(defaults))
        if unknown:
            self.fail(f"its attribute {unknown[0]!r}")
        plain = {key: value.decode() if isinstance(value, bytes) else value for key, value in given.items()}
        return {**defaults, **plain}

    def input(self, index: int) -> str:
        """Name of an input; empty where it is left out."""
        return self.node.input[index] if index < len(self.node.input) else ""

    def more_outputs(self) -> bool:
        """Whether anything reads another output of the node than its first."""
        return bool(self._read.intersection(filter(None, self.node.output[1:])))

    def ints(self, attribute: Any, index: int) -> list[int] | None:
        """Whole numbers that older opsets have as an attribute and newer ones as an input; None: not given."""
        if attribute is not None:
            return [int(each) for each in attribute]
        if not self.input(index):
            return None
        array = self.array(self.input(index))
        if array is None:
            self.fail(f"its {self.input(index)!r} is computed by the network")
        return [int(each) for each in np.asarray(array).reshape(-1)]

    def number(self, index: int, default: float | None = None) -> float | None:
        """A constant of one item."""
        if not self.input(index):
            return default
        array = self.array(self.input(index))
        if array is None or array.size != 1:
            self.fail(f"its {self.input(index)!r} is no constant number")
        return float(np.asarray(array).reshape(()))

    # -- what is written

    def fresh(self, hint: str) -> Ref:
        base = re.sub(r"[^A-Za-z0-9_]", "_", hint) or "value"
        base = base if not base[0].isdigit() else f"_{base}"
        found, number = base, 1
        while found in self._taken:
            found, number = f"{base}_{number}", number + 1
        self._taken.add(found)
        return Ref(found)

    def bind(self, value: str) -> Ref:
        """The name that an ONNX value gets."""
        self.names[value] = self.fresh(value)
        return Ref(self.names[value])

    def call(self, op: str, *args: Any, to: str | None = None, dtype: str = "", **named: Any) -> Ref:
        """One line. to: the ONNX value that it makes; without it an intermediate result."""
        result = self.fresh(f"{self.node.output[0]}_{op}") if to is None else self.bind(to)
        self.put(result, op, *args, dtype=dtype, **named)
        return result

    def put(self, result: Any, op: str, *args: Any, dtype: str = "", **named: Any) -> None:
        given = [literal(each) for each in args] + [f"{key} = {literal(each)}" for key, each in named.items()]
        self.lines.append(f"{literal(result)} = {op}{dtype and f'<{dtype}>'}({', '.join(given)});")
        self.operations += 1

    def tensor(self, name: str, shape: Sequence[int] | None = None) -> Any:
        """An ONNX value as an argument; a constant is written on first use. shape: that a constant is to have."""
        value = self.model.constants.get(name)
        if value is None:
            if name not in self.names:
                self.fail(f"{name!r} is read before it is computed")
            return Ref(self.names[name])
        wanted = tuple(value.shape if shape is None else shape)
        key = (name, wanted)
        if key not in self._ranked:
            result = self.fresh(name)
            dtype = self.kind(value.dtype, name)
            if isinstance(value, Uniform) or value.size == 1:
                number = np.asarray(value.value if isinstance(value, Uniform) else value).reshape(()).item()
                self.put(result, "constant", shape=list(wanted), value=[number], dtype=dtype)
            else:
                self.put(result, "variable", shape=list(wanted), label=str(result), dtype=dtype)
                self.tensors[result] = stored(np.asarray(value).reshape(wanted))
            self._ranked[key] = result
        return self._ranked[key]

    def operand(self, name: str, rank: int) -> Any:
        """An argument of an element-wise operation of that rank: ONNX aligns dims at the last, NNEF at the first."""
        value = self.model.constants.get(name)
        if value is not None and int(np.prod(value.shape)) == 1 and value.dtype.kind == "f":
            return float(np.asarray(value.value if isinstance(value, Uniform) else value).reshape(()))
        shape = self.shape(name)
        missing = rank - len(shape)
        if value is not None:
            return self.tensor(name, [1] * missing + shape)
        found = self.tensor(name)
        return self.call("unsqueeze", found, axes=list(range(missing))) if missing and shape else found

    def kind(self, dtype: Any, name: str) -> str:
        kind = {"f": "scalar", "i": "integer", "u": "integer", "b": "logical"}.get(np.dtype(dtype).kind)
        if kind is None or np.dtype(dtype) in (np.float64, np.float16, np.uint64):
            self.fail(f"{name!r} is of the element type {np.dtype(dtype).name}")
        return kind

    def save(self, out: Path, title: str, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        head = f"graph {self.fresh(title)}({', '.join(inputs)}) -> ({', '.join(outputs)})"
        body = "\n".join(f"    {line}" for line in self.lines)
        (out / "graph.nnef").write_text(f"version 1.0;\n\n{head}\n{{\n{body}\n}}\n")
        for label, array in self.tensors.items():
            (out / f"{label}.dat").write_bytes(array)


def literal(value: Any) -> str:
    """A value as NNEF spells it. Numbers keep all digits of float32; infinities do not exist."""
    if isinstance(value, Ref):
        return str(value)
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not np.isfinite(value):
            raise Refused(f"NNEF has no number for {value}", "unsupported")
        single = np.float32(value)
        return str(single) if np.isfinite(single) else repr(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))})"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    return str(value)


def stored(array: Any) -> bytes:
    """A .dat file: the header of 128 bytes, then the items."""
    kinds = {"f": (0, "<f4", 32), "i": (4, "<i8", 64), "u": (4, "<i8", 64), "b": (5, None, 1)}
    item, dtype, bits = kinds[array.dtype.kind]
    data = np.packbits(array).tobytes() if dtype is None else array.astype(dtype).tobytes()
    if array.ndim > 8 or len(data) >= 1 << 32:
        raise Refused("a tensor of more than eight dims or 4 GiB", "unsupported")
    shape = [*array.shape, *[0] * (8 - array.ndim)]
    return b"N\xef\x01\x00" + struct.pack("<31I", len(data), array.ndim, *shape, bits, item, *[0] * 19) + data

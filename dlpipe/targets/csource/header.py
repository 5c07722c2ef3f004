"""model.h: the one function, what its buffers hold, and the same as macros for programs that call it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..tflite.graph import Tensor
from .writing import TYPES


@dataclass(frozen=True)
class Argument:
    """`port`: of the contract, and how it lies here (`order`, `scale`, `zero`)."""

    name: str
    tensor: Tensor
    port: Mapping[str, Any]
    is_input: bool

    @property
    def count(self) -> int:
        found = 1
        for dim in self.tensor.shape:
            found *= dim
        return found

    @property
    def type(self) -> str:
        return TYPES[self.tensor.dtype]

    @property
    def declared(self) -> str:
        return f"{'const ' if self.is_input else ''}{self.type} *{self.name}"


def arguments(side: Mapping[str, Tensor], ports: Sequence[Mapping[str, Any]], is_input: bool) -> list[Argument]:
    prefix = "in" if is_input else "out"
    found = []
    for index, (port, tensor) in enumerate(zip(ports, side.values(), strict=True)):
        name = re.sub(r"\W+", "_", port["name"], flags=re.ASCII).strip("_").lower()[:40]
        found.append(Argument(f"{prefix}{index}_{name}".rstrip("_"), tensor, port, is_input))
    return found


def signature(given: Sequence[Argument]) -> str:
    return f"void model_run({', '.join(each.declared for each in given)})"


def header(given: Sequence[Argument], title: str, ram: int) -> str:
    outputs = [each for each in given if not each.is_input]
    buffers = " ".join(f"static {each.type} {each.name}[{each.count}];" for each in given)
    lines = [
        f"/* {title}",
        "",
        "   model_run computes the outputs of one sample from its inputs. It keeps nothing from call to call, but",
        f"   works in {ram:,} bytes of memory of its own: two calls at once disturb each other.",
        "",
        *(line for each in given for line in _described(each)),
        "*/",
        "#ifndef MODEL_H",
        "#define MODEL_H",
        "#include <stddef.h>",
        "#include <stdint.h>",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        f"{signature(given)};",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "/* for a program that has no buffers yet: run.c */",
        f"#define MODEL_BUFFERS {buffers}",
        f"#define MODEL_ARGUMENTS {', '.join(each.name for each in given)}",
        f"#define MODEL_FIRST_OUTPUT {outputs[0].name}",
        "#endif",
        "",
    ]
    return "\n".join(lines)


def _described(each: Argument) -> list[str]:
    what = "input" if each.is_input else "output"
    shape = "x".join(map(str, each.tensor.shape)) or "one number"
    lines = [f"   {each.name}: {what} {_plain(each.port['name'])}, {each.count} values, {shape}"]
    if "order" in each.port:
        lines.append(f"      (axis i of the original is axis {list(each.port['order'])}[i] here)")
    if "scale" in each.port:
        lines.append(f"      8-bit levels: level = round(value / {each.port['scale']:.9g}) + {each.port['zero']}")
    return lines


def _plain(name: str) -> str:
    """Text of a model, within a comment."""
    return re.sub(r"[^\w .:;/\-]|\*/|/\*", "_", name, flags=re.ASCII)


def ports(given: Sequence[Argument]) -> str:
    """For `harness.c`: how the buffers are read and written."""
    buffers = [f"static {each.type} {each.name}[{each.count}];" for each in given]
    moves = {True: [], False: []}  # type: dict[bool, list[str]]
    for each in given:
        operation, file = (6, "file") if each.is_input else (5, "file")
        moves[each.is_input].append(f"moved({operation}, {file}, {each.name}, sizeof {each.name})")
    return "\n".join(
        [
            *buffers,
            f"#define READ_ALL(file) ({' && '.join(moves[True])})",
            f"#define WRITE_ALL(file) ({' && '.join(moves[False])})",
            f"#define RUN() model_run({', '.join(each.name for each in given)})",
            "",
        ]
    )

"""Pieces of C: numbers, constants, loops."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ..tflite.graph import Array, Graph, Op, Tensor
from .planning import Plan, plan

TYPES = {
    "float32": "float", "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t",
    "int64": "int64_t", "bool": "uint8_t",
}  # fmt: skip
_KERNELS = Path(__file__).with_name("kernels")
_NEEDS = {  # a kernel -> what stands before it
    "connected_int8": ("level",), "conv_int8": ("window", "level"), "conv_float": ("window",),
    "depthwise_int8": ("window", "level"), "depthwise_float": ("window",), "max_pool_int8": ("window",),
    "max_pool_float": ("window",), "mean_pool_int8": ("window",), "mean_pool_float": ("window",),
    "softmax_int8": ("level",), "transposed_float": ("window",),
}  # fmt: skip
_PER_LINE = 24


def number(value: Any) -> str:
    """A float as C has it, to the last bit."""
    single = float(np.float32(value))
    if np.isnan(single):
        return "(0.0f / 0.0f)"
    if np.isinf(single):
        return f"({'-' if single < 0 else ''}1.0f / 0.0f)"
    text = f"{single:.9g}"
    return text + ("f" if "." in text or "e" in text else ".0f")


def strides(shape: Sequence[int]) -> list[int]:
    """Of a tensor whose last axis lies closest together."""
    found, step = [], 1
    for dim in reversed(shape):
        found.append(step)
        step *= dim
    return found[::-1]


class Writer:
    """The C of one graph. `body`: statements in the order of execution."""

    def __init__(self, graph: Graph, names: Mapping[int, str]) -> None:
        """`names`: of the function's arguments, by tensor."""
        self.graph = graph
        self.plan: Plan = plan(graph)
        self.body: list[str] = []
        self.functions: set[str] = set()  # of the C library
        self._names = names
        self._constants: dict[tuple[str, str], tuple[str, Array]] = {}
        self._kernels: dict[str, str] = {}

    # -- what is needed

    def kernel(self, name: str) -> str:
        for each in (*_NEEDS.get(name, ()), name):
            if each not in self._kernels:
                self._kernels[each] = (_KERNELS / f"{each}.c").read_text(encoding="utf-8")
        if name in ("softmax_float", "tanh"):
            self.functions.add("expf")
        return name

    def call(self, function: str) -> str:
        self.functions.add(function)
        return function

    def table(self, values: Array, dtype: str) -> str:
        """A constant; the same twice is stored once."""
        array = np.ascontiguousarray(values, dtype).reshape(-1)
        key = (dtype, sha256(array.tobytes()).hexdigest())
        if key not in self._constants:
            self._constants[key] = (f"c{len(self._constants)}", array)
        return self._constants[key][0]

    def pointer(self, tensor: Tensor) -> str:
        if tensor.data is not None:
            return self.table(tensor.data, tensor.dtype)
        if id(tensor) in self._names:
            return self._names[id(tensor)]
        home = self.plan.home(tensor)
        if id(home) in self._names:
            return self._names[id(home)]
        if home.data is not None:
            return self.pointer(home)
        return f"(({TYPES[tensor.dtype]} *)(arena + {self.plan.offset[id(home)]}))"

    # -- what is written

    def say(self, text: str) -> None:
        self.body.append(text)

    def loops(
        self, shape: Sequence[int], operands: Sequence[tuple[str, Sequence[int], int]], text: Callable[..., str]
    ) -> None:
        """Nested loops over `shape`. operands: pointer, step along each axis, and offset; text(*elements): a statement
        on the elements at one place."""
        dims, steps = _merged(shape, [steps for _, steps, _ in operands])
        head = "".join(f"for (int i{axis} = 0; i{axis} < {dim}; ++i{axis}) " for axis, dim in enumerate(dims))
        elements = []
        for index, (pointer, _, offset) in enumerate(operands):
            parts = [
                f"i{axis}" if step == 1 else f"i{axis} * {step}" for axis, step in enumerate(steps[index]) if step != 0
            ]
            if offset or not parts:
                parts.append(str(offset))
            elements.append(f"{pointer}[{' + '.join(parts)}]")
        self.say(f"  {head}{text(*elements)}")

    def copy(
        self,
        shape: Sequence[int],
        target: tuple[str, Sequence[int], int],
        source: tuple[str, Sequence[int], int],
    ) -> None:
        self.loops(shape, [target, source], lambda y, x: f"{y} = {x};")

    def text(self, head: str, signature: str) -> str:
        """The whole source file."""
        lines = [head, "#include <stddef.h>", "#include <stdint.h>", '#include "model.h"', ""]
        lines += [f"float {name}(float);" for name in sorted(self.functions)]
        lines += ["", *(each.rstrip("\n") + "\n" for each in self._kernels.values())]
        for (dtype, _), (name, array) in self._constants.items():
            lines += [f"static const {TYPES[dtype]} {name}[{max(array.size, 1)}] = {{", *_rows(array), "};"]
        if self.plan.size:
            lines.append(f"\nstatic union {{ int64_t aligned; uint8_t bytes[{self.plan.size}]; }} memory;")
        lines += ["", f"{signature} {{"]
        if self.plan.size:
            lines.append("  uint8_t *const arena = memory.bytes;")
        return "\n".join([*lines, *self.body, "}", ""])


def _rows(array: Array) -> list[str]:
    if array.dtype == np.float32:
        values = [number(each) for each in array.tolist()]
    elif array.dtype == np.int64:
        values = [f"{each}LL" for each in array.tolist()]
    else:
        values = [str(int(each)) for each in array.tolist()]
    return ["  " + ", ".join(values[at : at + _PER_LINE]) + "," for at in range(0, len(values), _PER_LINE)] or ["  0"]


def _merged(shape: Sequence[int], steps: Sequence[Sequence[int]]) -> tuple[list[int], list[list[int]]]:
    """Fewer loops: without axes of one place, and two axes that all operands pass through as one."""
    dims: list[int] = []
    found: list[list[int]] = [[] for _ in steps]
    for axis, dim in enumerate(shape):
        if dim == 1:
            continue
        if dims and all(kept[-1] == each[axis] * dim for kept, each in zip(found, steps, strict=True)):
            dims[-1] *= dim
            for kept, each in zip(found, steps, strict=True):
                kept[-1] = each[axis]
        else:
            dims.append(dim)
            for kept, each in zip(found, steps, strict=True):
                kept.append(each[axis])
    return dims, found


Emit = Callable[[Writer, Op], None]
EMITTERS: dict[str, Emit] = {}


def emits(*kinds: str) -> Callable[[Emit], Emit]:
    def register(function: Emit) -> Emit:
        EMITTERS.update(dict.fromkeys(kinds, function))
        return function

    return register

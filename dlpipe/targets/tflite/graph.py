"""A TensorFlow Lite graph in memory: what an interpreter would execute, before it is bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Quant:
    """value = scale * (level - zero); several scales stand along `axis`."""

    scale: tuple[float, ...]
    zero: tuple[int, ...]
    axis: int = 0

    @classmethod
    def one(cls, scale: float, zero: int) -> "Quant":
        return cls((float(np.float32(scale)),), (int(zero),))

    @classmethod
    def each(cls, scales: Array, axis: int = 0) -> "Quant":
        """Symmetric, with a scale for each place along an axis."""
        return cls(tuple(map(float, scales.astype(np.float32))), (0,) * scales.size, axis)


@dataclass(eq=False)
class Tensor:
    """`dtype`: NumPy's name. `data`: of a constant."""

    name: str
    shape: Shape
    dtype: str
    data: Array | None = None
    quant: Quant | None = None


@dataclass(eq=False)
class Op:
    """`kind`: as in the enum BuiltinOperator, CONV_2D. `options`: fields of its option table that are not 0."""

    kind: str
    inputs: list[Tensor | None]
    outputs: list[Tensor]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Graph:
    """`inputs` and `outputs`: by the names that the model's contract has for them, in its order."""

    ops: list[Op] = field(default_factory=list)
    inputs: dict[str, Tensor] = field(default_factory=dict)
    outputs: dict[str, Tensor] = field(default_factory=dict)

    def tensors(self) -> list[Tensor]:
        """All that are used, in the order of execution."""
        found: dict[int, Tensor] = {}
        used: list[Tensor | None] = list(self.inputs.values())
        for op in self.ops:
            used += [*op.inputs, *op.outputs]
        for tensor in [*used, *self.outputs.values()]:
            if tensor is not None:
                found.setdefault(id(tensor), tensor)
        return list(found.values())

    def kinds(self) -> dict[str, list[str]]:
        """dtype of what they make -> operators: what computes in 8 bits, and what does not."""
        found: dict[str, set[str]] = {}
        for op in self.ops:
            found.setdefault(op.outputs[0].dtype, set()).add(op.kind)
        return {dtype: sorted(found[dtype]) for dtype in sorted(found)}

    def drop_unused(self) -> None:
        """Operators that lead to no output."""
        wanted = {id(tensor) for tensor in self.outputs.values()}
        kept = []
        for op in reversed(self.ops):
            if any(id(tensor) in wanted for tensor in op.outputs):
                kept.append(op)
                wanted.update(id(tensor) for tensor in op.inputs if tensor is not None)
        self.ops = kept[::-1]

"""The table of operators: what of a node is known before anything is computed, and who computes it.

An operator is a function of a `Site` that returns the function of its inputs. It reads the attributes and refuses what
it cannot do; so a model is refused before anything is trained, with the node's name. Shapes and other integers are
ordinary tensors on the CPU, so that reading them never waits for a GPU.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import onnx_ir as ir
import torch
from dlpipe_worker import Refused

Args = tuple[Any, ...]  # a tensor for each input, None where one is left out
Compute = Callable[..., Any]  # (*Args) -> a tensor, or a tuple of them where the node has several outputs
Operator = Callable[["Site"], Compute]

OPERATORS: dict[str, Operator] = {}
# Inputs whose floats an operator reads as numbers (`numbers`); of integers it may be any.
READ: dict[str, tuple[int, ...]] = {
    "Clip": (1, 2),
    "Pad": (2,),
    "Range": (0, 1, 2),
    "Resize": (1, 2),
    "Upsample": (1,),
}


@dataclass(frozen=True, slots=True)
class Site:
    """One node."""

    node: ir.Node
    opset: int

    @property
    def op(self) -> str:
        return str(self.node.op_type)

    def attr(self, name: str, default: Any = None) -> Any:
        """The attribute's value, strings as str, lists as lists."""
        found = self.node.attributes.get(name)
        if found is None:
            return default
        value = found.value
        return list(value) if isinstance(value, tuple) else value

    def has(self, index: int) -> bool:
        """Whether that input is given."""
        return index < len(self.node.inputs) and self.node.inputs[index] is not None

    def stored(self, index: int) -> Any:
        """The numpy array of an input that is stored in the model; None for what is computed or fed."""
        value = self.node.inputs[index] if self.has(index) else None
        if value is None or value.is_graph_input():
            return None
        if value.const_value is not None:
            return value.const_value.numpy()
        made = value.producer()
        if made is not None and made.op_type == "Constant" and "value" in made.attributes:
            return made.attributes["value"].value.numpy()
        return None

    def ints(self, name: str, index: int) -> Callable[[Args], list[int] | None]:
        """What older operator sets have as an attribute and newer ones as an input; None where it is not given."""
        fixed = self.attr(name)

        def read(args: Args) -> list[int] | None:
            if fixed is not None:
                return list(fixed)
            given = args[index] if index < len(args) else None
            return None if given is None else [int(each) for each in numbers(given)]

        return read

    def refuse(self, why: str) -> NoReturn:
        raise Refused(
            f"{self.op} cannot be computed in torch: {why}", kind="unsupported", node=self.node.name, op=self.op
        )


def operator(*names: str) -> Callable[[Operator], Operator]:
    def enter(function: Operator) -> Operator:
        for name in names:
            OPERATORS[name] = function
        return function

    return enter


def numbers(tensor: Any) -> list[Any]:
    """What a tensor of sizes, axes or bounds holds, flat. Where a graph is exported its tensors have no values, but
    those that are stored bring them along as `known` (`frozen.py`)."""
    known: list[Any] | None = getattr(tensor, "known", None)
    return list(tensor.reshape(-1).tolist()) if known is None else known


def number(tensor: Any) -> Any:
    """The same of a tensor of one."""
    (only,) = numbers(tensor)
    return only


def together(*tensors: Any) -> tuple[Any, ...]:
    """On one device: where one of them is on a GPU, the others (stored integers, mostly) follow it."""
    where = next((each.device for each in tensors if each.device.type != "cpu"), None)
    return tensors if where is None else tuple(each.to(where) for each in tensors)


def dtype(number: int) -> torch.dtype:
    """Of an element type's number in ONNX. KeyError for one that is not computed with here."""
    return _TYPES[number]


_TYPES = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    16: torch.bfloat16,
}

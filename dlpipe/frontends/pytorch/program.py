"""The original as a function from tensors to tensors, whatever kind of file it came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from dlpipe_worker import Refused
from torch.utils import _pytree as pytree

from .arguments import Arguments
from .states import State


class Program(torch.nn.Module):  # type: ignore[misc]  # torch is Any to the host
    """Takes the input tensors in the order of `arguments.inputs`, then the states; gives the output tensors, then the
    new states. Nested outputs are flattened, what is no tensor is dropped; `outputs` names them after the first run.
    """

    def __init__(self, model: Any, arguments: Arguments, kind: str, states: Sequence[State] = ()) -> None:
        super().__init__()
        # An exported module refuses to change its mode, which exporters ask of every module below the one they get.
        self.__dict__["model"] = model
        if kind != "exported":
            self.model = model
        self.arguments = arguments
        self.kind = kind  # "exported", "script" or "module"
        self.states = list(states)
        self.exported: Any = None  # the ExportedProgram
        self.outputs: list[str] = []
        self.eval()  # an exporter that changes the mode puts this one back

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        count = len(self.arguments.inputs)
        for state, value in zip(self.states, tensors[count:], strict=True):
            state.set(value)
        args, kwargs = self.arguments.build(tensors[:count])
        flat, _ = pytree.tree_flatten_with_path(self.model(*args, **kwargs))
        found = [(path, value) for path, value in flat if isinstance(value, torch.Tensor)]
        if not found:
            raise Refused("the network returns no tensor", kind="unsupported")
        names = _names([path for path, _ in found])
        new = [state.get() for state in self.states]
        self.outputs = [*names, *(f"{state.name}_out" for state in self.states)]
        return (*(value for _, value in found), *new)

    @property
    def input_names(self) -> list[str]:
        return [leaf.name for leaf in self.arguments.inputs] + [state.name for state in self.states]

    def examples(self) -> tuple[torch.Tensor, ...]:
        return (*(leaf.value for leaf in self.arguments.inputs), *(state.example for state in self.states))

    def run(self, tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """One call without gradients."""
        with torch.no_grad():
            found: tuple[torch.Tensor, ...] = self(*tensors)
        return found


def _names(paths: Sequence[Sequence[Any]]) -> list[str]:
    if len(paths) == 1 and not paths[0]:
        return ["output"]
    names: list[str] = []
    for path in paths:
        keys = [str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in path]
        name = re.sub(r"\W+", "_", "_".join(keys)) or "output"
        name = f"output_{name}" if name[0].isdigit() else name
        names.append(name if name not in names else f"{name}_{len(names)}")
    return names

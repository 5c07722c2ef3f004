"""Tensors that a TorchScript program keeps in attributes from call to call: they become inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch


@dataclass
class State:
    """An attribute of a module; `example` has the shape that it has once the program has run."""

    module: Any
    attribute: str
    name: str
    example: torch.Tensor

    def get(self) -> torch.Tensor:
        found: torch.Tensor = getattr(self.module, self.attribute)
        return found

    def set(self, value: torch.Tensor) -> None:
        setattr(self.module, self.attribute, value)


def inlined(model: torch.jit.ScriptModule) -> Any:
    """Its graph, with the calls written out."""
    graph = model.graph.copy()
    torch._C._jit_pass_inline(graph)  # noqa: SLF001 - there is no public way to see through calls
    return graph


def constants(model: torch.jit.ScriptModule) -> dict[str, torch.Tensor]:
    """The tensors in the graph itself: what freezing makes of the weights. In the order of their use."""
    graph = inlined(model)  # held: its nodes live no longer than it
    nodes = graph.findAllNodes("prim::Constant")
    tensors = [
        node.t("value") for node in nodes if str(node.output().type()) == "Tensor" and node.hasAttribute("value")
    ]
    return {f"constant_{index}": each for index, each in enumerate(tensors)}


def written(model: torch.jit.ScriptModule) -> list[tuple[Any, str]]:
    """(module, attribute) that the program writes to, calls and branches included."""
    graph = inlined(model)
    found: dict[tuple[str, ...], Any] = {}
    for node in graph.findAllNodes("prim::SetAttr"):
        path = _path(next(iter(node.inputs())))
        if path is not None:
            found[(*path, node.s("name"))] = None
    pairs = []
    for *path, name in found:
        module: Any = model
        for step in path:
            module = getattr(module, step)
        pairs.append((module, name))
    return pairs


def _path(value: Any) -> list[str] | None:
    """The attributes that lead from `self` to this value."""
    steps: list[str] = []
    while value.node().kind() == "prim::GetAttr":
        steps.insert(0, value.node().s("name"))
        value = next(iter(value.node().inputs()))
    return steps if value.node().kind() == "prim::Param" else None


def tensors(pairs: list[tuple[Any, str]]) -> Iterator[State]:
    """After a first run, which gives them their shapes. What is no tensor stays as that run left it."""
    for module, attribute in pairs:
        value = getattr(module, attribute)
        if isinstance(value, torch.Tensor):
            yield State(module, attribute, attribute.strip("_") or attribute, value.detach().clone())

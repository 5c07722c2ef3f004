"""What several backends look for in a model before any time is spent. `model`: what the describe operation says."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

from dlpipe.contracts.backend import Refusal


def free_dims(model: Mapping[str, Any], tool: str) -> Iterator[Refusal]:
    """Inputs with free dims behind the first, which is taken for a batch of one."""
    for port in model.get("inputs", ()):
        for dim in port["shape"][1:]:
            if isinstance(dim, str):
                reason = f"{tool} needs fixed shapes, and the input {port['name']} has the free dim {dim}"
                yield Refusal(reason, hint=f"--shape {dim}=<size>")


def operators(model: Mapping[str, Any], refused: Mapping[str, str]) -> Iterator[Refusal]:
    """`refused`: operator -> why. The pipeline looks up which nodes these are."""
    for op, why in refused.items():
        if op in model.get("operators", {}):
            yield Refusal(f"{op}: {why}", op=op)


def unknown_operators(model: Mapping[str, Any], known: Container[str], said: str) -> Iterator[Refusal]:
    """Those outside `known`, which has names of ONNX's own operators. `said` with the operator's name in place of {}:
    "this tool does not import {}"."""
    for name in sorted(model.get("operators", {})):
        if name.removeprefix("ai.onnx::") not in known:
            yield Refusal(said.format(name), op=name)

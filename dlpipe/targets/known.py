"""What each backend does on a target, as far as it can be said before there is a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlpipe.contracts.backend import Backend, Target
from dlpipe.targets.registry import backends

_NO_MODEL: Mapping[str, Any] = {"operators": {}, "nodes": []}


@dataclass(frozen=True, slots=True)
class Known:
    """`default`: the target's file names it. `variants`: the precisions it makes there; none, and `refused` says why.
    `executed`: whether dlpipe runs the artefacts on this machine (for a target on hardware: where that is found)."""

    backend: str
    default: bool
    variants: tuple[str, ...]
    executed: bool
    refused: str | None = None


def known(target: Target) -> list[Known]:
    """The target's own backends in its order; for a CPU, which many know, then the others that do not refuse it."""
    found = {name: _known(tool, target) for name, tool in backends().items()}
    named = [found[name] for name in target.backends if name in found]
    others = [each for each in found.values() if not each.default and each.variants]
    return [*named, *(others if target.kind == "cpu" else [])]


def _known(tool: Backend, target: Target) -> Known:
    why: dict[str, str | None] = {}
    for variant in tool.variants(target):
        refusals = tool.refusals(target, variant, _NO_MODEL)
        why[variant] = refusals[0].reason if refusals else None
    made = tuple(variant for variant, reason in why.items() if reason is None)
    return Known(
        backend=tool.name,
        default=tool.name in target.backends,
        variants=made,
        executed=bool(made) and tool.run_call(target, made[0]) is not None,
        refused=None if made else next(iter(why.values()), None) or "it makes nothing for it",
    )

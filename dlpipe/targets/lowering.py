"""What compilers without loops, or without the operators that fusions make, ask the passes for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dlpipe.contracts.backend import Lowering

LOOPS = frozenset({"Loop", "Scan"})


def written_out(
    model: Mapping[str, Any],
    composed: Iterable[str] = (),
    *,
    loops: frozenset[str] = LOOPS,
    before: Iterable[Lowering] = (),
) -> tuple[Lowering, ...]:
    """Loops become the steps that they run, operators of `composed` what they are made of, as far as the model has
    any; then constants are folded. before: what comes first. `model`: what the describe operation says."""
    steps, present = list(before), set(model["operators"])
    if loops & present:
        steps.append(Lowering("unroll"))
    if found := [name for name in composed if name in present]:
        steps.append(Lowering("decompose", {"operators": found}))
    return (*steps, Lowering("fold-constants")) if steps else ()

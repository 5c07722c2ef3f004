"""The stages that walk through two graphs, on the sample that shows the most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.data import pick_call
from dlpipe.measure import walk_call
from dlpipe.pipeline.stage import Stage

FEW = 8  # samples that are looked at, at the utmost


def walk_stage(
    name: str,
    reference: str,
    candidate: str,
    sample: str,
    limits: Mapping[str, Any],
    ports: Mapping[str, str],
    resolution: Mapping[str, Mapping[str, float]],
) -> Stage:
    """See `walk_call`; reference, candidate, sample: ids of stages, or `tree:<digest>`."""
    inputs = {"reference": reference, "candidate": candidate, "samples": sample}
    return Stage(name, "measure", walk_call(limits, ports, resolution), inputs, required=False)


def telling_samples(fidelity: Mapping[str, Any]) -> list[int]:
    """The numbers of the samples that show a departure: first the one on which the worst output is furthest off, and
    others where no single error decides, but a direction that is judged over all of them."""
    outputs = fidelity["outputs"].values()
    worst = [each for each in outputs if each["passed"] is False and each.get("worst_sample") is not None]
    first = int(max(worst, key=lambda each: each.get("max_rel") or 0.0)["worst_sample"]) if worst else 0
    if fidelity["tolerance"] is not None:
        return [first]
    return [first, *[number for number in range(fidelity["samples"]) if number != first][: FEW - 1]]


def sample_stage(name: str, fidelity: Mapping[str, Any], samples: str) -> Stage:
    """The few of the stage `samples` that show it."""
    return Stage(f"sample:{name}", "data", pick_call(telling_samples(fidelity)), {"data": samples}, required=False)

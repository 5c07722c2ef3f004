"""Originals that make much of little: where the last bit of their inputs moves their outputs further than an fp32
limit allows, no runtime can answer as they do, and a difference of that size tells no wrong import from a right one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dlpipe.data import nudge_call
from dlpipe.measure import fidelity_call
from dlpipe.measure.tolerances import MOST_STEPS
from dlpipe.pipeline.imported import Imported
from dlpipe.pipeline.request import SEED
from dlpipe.pipeline.samples import Samples
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage

# Of an output's range: what is further off is no rounding, whatever the original does.
MOST = 5e-2
_STAGES = ("samples:nudged", "reference:nudged", "fidelity:nudged")


def unsteady(session: Session, imported: Imported, fidelity: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Output -> how far the original itself moves it, absolutely and as a share of its range, when each number that it
    is fed with goes to the next float32: of the outputs that this moves about as far as the limit of `fidelity`.

    Empty where that is no matter of rounding, or where the original cannot be executed with other inputs.
    """
    off = [each for each in fidelity["outputs"].values() if each["passed"] is False]
    if any(each.get("nan") or each.get("inf") or not 0 < (each.get("max_rel") or 0.0) <= MOST for each in off):
        return {}
    call = imported.frontend.reference_call(imported.sniffed, imported.options)
    if call is None or not any(port.dtype == "float32" for port in imported.contract.inputs):
        return {}
    session.executor.forget(_STAGES)
    given = {"source": f"tree:{imported.source.tree}", "imported": imported.ir, "samples": "samples:nudged"}
    outputs = {"reference": "reference", "candidate": "reference:nudged"}
    session.executor.run(
        [
            Stage("samples:nudged", "data", nudge_call(SEED), {"data": "samples"}),
            Stage("reference:nudged", "run", call, given, required=False),
            Stage("fidelity:nudged", "measure", fidelity_call("fp32"), outputs, required=False),
        ]
    )
    moved = (session.executor.outcomes["fidelity:nudged"].value or {}).get("outputs", {})
    found = {name: (each.get("max_abs"), each.get("max_rel")) for name, each in moved.items()}
    least = fidelity["tolerance"] / MOST_STEPS  # what is steadier is held to the limit all the same
    return {name: (far, share) for name, (far, share) in found.items() if far and share and least < share <= MOST}


def allowing(samples: Samples, found: Mapping[str, tuple[float, float]]) -> Samples:
    """The samples, whose outputs need not be nearer than the original itself holds them."""
    resolution = dict(samples.full.resolution)
    for name, (far, _) in found.items():
        known = resolution.get(name, {})
        resolution[name] = {**known, "step": max(far, known.get("step", 0.0))}
    return replace(
        samples,
        full=replace(samples.full, resolution=resolution),
        emulated=replace(samples.emulated, resolution=resolution),
        unsteady={name: share for name, (_, share) in found.items()},
    )


def told(found: Mapping[str, float]) -> list[str]:
    """A warning, where there is something to say. found: output -> share of its range."""
    if not found:
        return []
    worst = max(found, key=lambda name: found[name])
    more = f" and {len(found) - 1} more less far" if len(found) > 1 else ""
    moved = f"the last bit of its inputs moves the original's own {worst} by {found[worst]:.2g} of its range{more}"
    return [f"{moved}: outputs are held to that, not to less (real --data may be steadier)"]

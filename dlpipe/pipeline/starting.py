"""Start-up of artefacts that this machine itself runs: one after the other, with the machine to themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.contracts.figure import Figure
from dlpipe.contracts.json import digest
from dlpipe.measure.machine import fingerprint
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.pipeline.timing import alone
from dlpipe.targets import KIT

WARM = 3  # starts after the first
_COLD = "from the start of a process to its first answer, with its runtime; the first start since it was built"
_MEMORY = "most that its sample program had in memory, its runtime included, by the kernel's account"
_IN_PARTS = "it is in parts, whose runtimes lie in toolchains of their own here: no one process holds them all"
_WARM = f"the same, median of {WARM} more starts: files at hand, and what the runtime kept"


def measure_starts(session: Session, calls: Mapping[str, Call], samples: str) -> dict[str, dict[str, Any]]:
    """Digest of an artefact -> {"cold_start", "warm_start", "peak_memory": Figure}, as JSON. calls: that which times
    each: the sample program runs in its toolchain. samples: digest of the folder that holds a sample."""
    machine = digest(fingerprint())
    found = {}
    with alone(session.cache):
        for tree, call in calls.items():
            start = Call(
                call.toolchain,
                KIT / "starting.py",
                "start",
                {"machine": machine, "warm": WARM},
                resources=call.resources,
                stage_class="hardware",
            )
            stage = Stage(f"start:{tree}", "timing", start, {"artifact": f"tree:{tree}", "samples": f"tree:{samples}"},
                          required=False)  # fmt: skip
            found[tree] = _figures(session.executor.run([stage])[stage.id])
    return found


def in_parts() -> dict[str, dict[str, Any]]:
    """Those of an artefact in parts, as JSON: absent. The sum of its parts' would count Python and NumPy for each, and
    of memory what two parts never hold at once."""
    return {
        key: Figure.absent(_IN_PARTS, unit).model_dump()
        for key, unit in (("cold_start", "ms"), ("warm_start", "ms"), ("peak_memory", "bytes"))
    }


def _figures(outcome: Any) -> dict[str, Any]:
    if outcome.status != "ok":
        absent = Figure.absent(f"it could not be started by itself: {outcome.reason}", "ms").model_dump()
        return {"cold_start": absent, "warm_start": absent}  # memory: what timing saw of the worker stays
    memory = Figure(value=outcome.value["peak_rss"], unit="bytes", provenance="measured", reason=_MEMORY).model_dump()
    starts = {
        f"{kind}_start": Figure(
            value=1e3 * outcome.value[f"{kind}_seconds"], unit="ms", provenance="measured", reason=reason
        ).model_dump()
        for kind, reason in (("cold", _COLD), ("warm", _WARM))
    }
    return {**starts, "peak_memory": memory}

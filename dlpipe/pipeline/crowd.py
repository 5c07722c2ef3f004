"""How much of this machine's CPUs other programs took while something was measured: a lock keeps dlpipe's own timings
apart, and nothing else."""

from __future__ import annotations

import os
from time import monotonic

from dlpipe.contracts.figure import Figure
from dlpipe.measure.machine import busy_seconds
from dlpipe.toolchains.jail import tree

_WHAT = "of the CPUs' time, by other programs and the hypervisor while latency was measured"


class Crowd:
    """Watches from when it is made on."""

    def __init__(self) -> None:
        self._since = monotonic()
        self._busy, self._ours = _now()

    def share(self) -> float | None:
        """Of the time of the CPUs that this process may use, what others took, the hypervisor among them: 0 to 1. None
        where the system does not tell."""
        busy, ours = _now()
        if self._busy is None or busy is None or busy.keys() != self._busy.keys():
            return None
        there = len(busy) * (monotonic() - self._since)
        others = sum(busy.values()) - sum(self._busy.values()) - (ours - self._ours)
        return min(1.0, max(0.0, others / there)) if there > 0 else None


def figure(share: float | None) -> Figure:
    """For the report."""
    if share is None:
        return Figure.absent("this system does not tell what its CPUs did", "fraction")
    return Figure(value=share, unit="fraction", provenance="measured", reason=_WHAT)


def _now() -> tuple[dict[int, float] | None, float]:
    """Seconds that each CPU was busy, and CPU seconds of this process with all below it."""
    return busy_seconds(), tree.usage(os.getpid()).cpu_seconds

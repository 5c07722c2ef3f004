"""How near a model comes to what the machine that ran it could do at most: the roofline.

S. Williams, A. Waterman and D. Patterson, "Roofline: an insightful visual performance model for multicore
architectures", Communications of the ACM 52 (4), 2009. The least time of a run is that of its arithmetic at the peak of
one core, or that of moving its bytes at the bandwidth of a large copy, whichever is longer. The limit's share is that
time over the measured one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from dlpipe.contracts.figure import Figure

_WINOGRAD = "above 100 %: its algorithm multiplies less than is counted, as Winograd's and the FFT do"
_CACHED = "above 100 %: what it moves stayed in the caches"


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one core of this machine. Operations and bytes a second; an addition and a multiplication are two operations.
    `when`: the day that they were measured on."""

    f32: float
    f32_by: str
    int8: float
    int8_by: str
    bandwidth: float
    when: str

    @classmethod
    def read(cls, value: Mapping[str, Any], when: str) -> Self:
        """value: of `limits_call`. Raises KeyError, TypeError or ValueError where it is none."""
        f32, int8 = value["f32"], value["int8"]
        numbers = [float(each) for each in (f32["flops"], int8["flops"], value["bandwidth"])]
        if min(numbers) <= 0:
            raise ValueError("limits are positive")
        return cls(numbers[0], str(f32["by"]), numbers[1], str(int8["by"]), numbers[2], when)

    def figures(self) -> dict[str, Figure]:
        """For the report."""
        best = "best of several products of 512 x 512 matrices on one core, by"
        return {
            "peak_f32": self._figure(self.f32 / 1e9, "GFLOP/s", f"{best} {self.f32_by}"),
            "peak_int8": self._figure(self.int8 / 1e9, "Gop/s", f"{best} {self.int8_by}"),
            "bandwidth": self._figure(self.bandwidth / 1e9, "GB/s", "best piece of a large copy on one core"),
        }

    def _figure(self, value: float, unit: str, how: str) -> Figure:
        return Figure(value=value, unit=unit, provenance="measured", reason=f"{how}, {self.when}")


@dataclass(frozen=True, slots=True)
class Work:
    """Of one run: multiplications with their additions, those of 8-bit integers among them, and bytes moved."""

    macs: int
    integer_macs: int
    moved: int


def work_of(described: Mapping[str, Any], *, all_integer: bool = False) -> Work | str:
    """described: of the describe operation. all_integer: the backend makes all of them 8-bit integers itself. The
    reason where it is not known."""
    macs, moved, integer = (described.get(name) for name in ("macs", "bytes_moved", "integer_macs"))
    if not isinstance(macs, int):
        return f"its work is not known: {described.get('macs_reason') or 'its multiplications were not counted'}"
    if macs == 0:
        return "it multiplies nothing that is counted"
    if not isinstance(moved, int) or not isinstance(integer, int):
        return "what its loops move is not counted"
    return Work(macs, macs if all_integer else integer, moved)


def intensity(work: Work) -> Figure:
    """Operations for each byte that is moved."""
    reason = "weights once, and what multiplying nodes read and write, counted from the graph's shapes"
    return Figure(value=2 * work.macs / work.moved, unit="FLOP/byte", provenance="estimated", reason=reason)


def share(work: Work, limits: Limits, milliseconds: float) -> Figure:
    """The limit's share of a measured time, as a fraction."""
    int8 = max(limits.int8, limits.f32)  # eight bits can be multiplied in float32 as well
    arithmetic = 2e3 * (work.integer_macs / int8 + (work.macs - work.integer_macs) / limits.f32)
    moving = 1e3 * work.moved / limits.bandwidth
    least = max(arithmetic, moving)
    found = least / milliseconds
    what = _arithmetic(work, limits, int8) if arithmetic >= moving else _moving(work, limits)
    more = (_WINOGRAD if arithmetic >= moving else _CACHED) if found > 1 else None
    reason = f"{what} would take {least:.3g} ms; one core as measured on {limits.when}"
    return Figure(value=found, unit="fraction", provenance="estimated", reason="; ".join(filter(None, (reason, more))))


def _arithmetic(work: Work, limits: Limits, int8: float) -> str:
    share = work.integer_macs / work.macs
    peaks = []
    if share > 0:
        peaks.append(f"{100 * share:.0f} % of them 8-bit integers at {int8 / 1e9:.0f} Gop/s")
    if share < 1:
        peaks.append(f"{'the others ' if share else ''}in float32 at {limits.f32 / 1e9:.0f} GFLOP/s")
    return f"bound by arithmetic: {work.macs / 1e6:.3g} M multiplications with additions, {', '.join(peaks)},"


def _moving(work: Work, limits: Limits) -> str:
    return f"bound by memory: {work.moved / 1e6:.3g} MB at {limits.bandwidth / 1e9:.1f} GB/s"

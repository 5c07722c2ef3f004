"""Timings and descriptions as the report's figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Speedup

_TIMES = ("latency_p50", "latency_p95", "latency_p99", "cold_start", "warm_start")


def latency(timing: Mapping[str, Any] | None, *, absent: str | None = None) -> dict[str, Figure]:
    """The figures of one timing; or `latency_p50` as absent with the reason."""
    if timing is None:
        return {"latency_p50": Figure.absent(absent or "not timed in this run", "ms")}
    return {key: Figure.model_validate(figure) for key, figure in timing["cost"].items()}


def static(described: Mapping[str, Any] | None) -> dict[str, Figure]:
    """Size, parameters and MACs, which need no run."""
    if described is None:
        return {}
    figures = {
        "size": Figure(value=described["size_bytes"], unit="bytes", provenance="measured"),
        "parameters": Figure(value=described["parameters"], unit="count", provenance="measured"),
    }
    macs = described.get("macs")
    if isinstance(macs, int):
        figures["macs"] = Figure(
            value=macs, unit="MAC", provenance="estimated", reason="counted from the graph's shapes"
        )
    else:
        figures["macs"] = Figure.absent(str(described.get("macs_reason") or "unknown shapes"), "MAC")
    return figures


def speedups(timing: Mapping[str, Any] | None, machine: str) -> tuple[Speedup, ...]:
    if timing is None:
        return ()
    return tuple(Speedup.model_validate({"measured_on": machine, **each}) for each in timing.get("speedups", ()))

"""Timings and descriptions as the report's figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Speedup


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
            value=macs, unit="MAC", provenance="estimated", reason="counted from the graph's shapes, for one sample"
        )
    else:
        figures["macs"] = Figure.absent(str(described.get("macs_reason") or "unknown shapes"), "MAC")
    return figures


def estimates(value: Mapping[str, Any]) -> dict[str, Figure]:
    """What a backend's operation says in `estimates` (`contracts/backend.py`) as figures. One that is none is absent,
    with what is wrong with it."""
    by = str(value.get("tool") or "the backend")
    return {key: _estimate(given, by) for key, given in (value.get("estimates") or {}).items()}


def _estimate(given: Any, by: str) -> Figure:
    try:
        figure = Figure.model_validate({"provenance": "estimated", **given})
    except (TypeError, ValidationError) as error:
        return Figure.absent(f"what {by} says is no figure: {str(error).splitlines()[0]}")
    said = f"estimated by {by}" if figure.provenance == "estimated" else f"by {by}"
    return figure.model_copy(update={"reason": figure.reason or said})


def isa(code: Mapping[str, Any] | None) -> dict[str, Figure]:
    """The extensions of the instruction set that an artefact's own machine code needs, as `machinecode` found them."""
    if code is None:
        return {}
    reason = f"read from the machine code of {', '.join(code['files'])} by {code['tool']}"
    return {"isa": Figure(value=", ".join(code["isa"]) or "none", provenance="measured", reason=reason)}


def speedups(timing: Mapping[str, Any] | None, machine: str) -> tuple[Speedup, ...]:
    if timing is None:
        return ()
    return tuple(Speedup.model_validate({"measured_on": machine, **each}) for each in timing.get("speedups", ()))

"""`dlpipe.convert`: the whole journey from Python, with the same contract as the command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dlpipe.pipeline.convert import convert as convert_request
from dlpipe.pipeline.events import Event
from dlpipe.pipeline.limits import UserLimits
from dlpipe.pipeline.request import ConvertRequest, parse_precision
from dlpipe.pipeline.session import Session
from dlpipe.report.schema import Report


def convert(
    model: str | Path,
    *,
    target: str | Sequence[str],
    backend: str | Sequence[str] = (),
    precision: str = "auto",
    data: str | Path | None = None,
    max_accuracy_drop: str | None = None,
    max_size: str | None = None,
    out: str | Path | None = None,
    offline: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> tuple[Report, Path]:
    """Convert a model and measure every step; returns the report and the output folder. Another result that lies
    there is kept beside it, as `<folder>.previous`.

    Raises what the command exits with: UserError (2), GateFailed (3; the output folder with its report is there),
    StageFailed (4).
    """
    request = ConvertRequest(
        model=str(model),
        targets=_names(target),
        backends=_names(backend),
        precision=parse_precision(precision),
        data=str(data) if data is not None else None,
        limits=UserLimits.parse(max_accuracy_drop=max_accuracy_drop, max_size=max_size),
        out=Path(out) if out is not None else None,
    )
    with Session(offline=offline, listeners=[on_event] if on_event else []) as session:
        converted = convert_request(session, request)
    if converted.error is not None:
        raise converted.error
    return converted.report, converted.out


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)

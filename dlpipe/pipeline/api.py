"""`dlpipe.convert` and `dlpipe.compress`: the same from Python, with the same contract as the commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dlpipe.measure import parse_metric
from dlpipe.passes.recipes import recipe as find_recipe
from dlpipe.pipeline.compress.compress import compress as compress_request
from dlpipe.pipeline.compress.request import TRIALS, CompressRequest, parse_budget
from dlpipe.pipeline.convert import convert as convert_request
from dlpipe.pipeline.events import Event
from dlpipe.pipeline.limits import UserLimits
from dlpipe.pipeline.request import ConvertRequest, parse_precision
from dlpipe.pipeline.session import Session
from dlpipe.report.compression import Compression
from dlpipe.report.schema import Report
from dlpipe.targets.registry import target as find_target


def convert(
    model: str | Path,
    *,
    target: str | Sequence[str],
    backend: str | Sequence[str] = (),
    precision: str = "auto",
    data: str | Path | None = None,
    metric: str | None = None,
    max_accuracy_drop: str | None = None,
    max_size: str | None = None,
    allow_fallback: str | None = None,
    out: str | Path | None = None,
    offline: bool = False,
    executor: str = "local",
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
        metric=parse_metric(metric) if metric is not None else None,
        limits=UserLimits.parse(max_accuracy_drop=max_accuracy_drop, max_size=max_size),
        allow_fallback=allow_fallback,
        out=Path(out) if out is not None else None,
    )
    with Session(offline=offline, executor=executor, listeners=[on_event] if on_event else []) as session:
        converted = convert_request(session, request)
    if converted.error is not None:
        raise converted.error
    return converted.report, converted.out


def compress(
    model: str | Path,
    *,
    out: str | Path,
    data: str | Path | None = None,
    metric: str | None = None,
    train_data: str | Path | None = None,
    recipe: str | Sequence[str] = (),
    target: str | None = None,
    max_accuracy_drop: str | None = None,
    max_latency: str | None = None,
    max_size: str | None = None,
    min_speedup: str | None = None,
    trials: int = TRIALS,
    budget: str = "10min",
    offline: bool = False,
    executor: str = "local",
    on_event: Callable[[Event], None] | None = None,
) -> Compression:
    """Make a model smaller or faster within limits; writes the ONNX file `out`, and returns what was tried.

    Raises what the command exits with: UserError (2), GateFailed (3; nothing was written), StageFailed (4).
    """
    request = CompressRequest(
        model=str(model),
        out=Path(out),
        data=str(data) if data is not None else None,
        metric=parse_metric(metric) if metric is not None else None,
        train_data=str(train_data) if train_data is not None else None,
        recipes=tuple(find_recipe(name) for name in _names(recipe)),
        target=find_target(target) if target is not None else None,
        limits=UserLimits.parse(
            max_accuracy_drop=max_accuracy_drop, max_latency=max_latency, max_size=max_size, min_speedup=min_speedup
        ),
        trials=trials,
        budget=parse_budget(budget),
    )
    with Session(offline=offline, executor=executor, listeners=[on_event] if on_event else []) as session:
        done = compress_request(session, request)
    if done.error is not None:
        raise done.error
    return done.report


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)

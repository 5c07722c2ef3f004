"""The run that was accepted last: what later runs of the same model are held against."""

from __future__ import annotations

from pathlib import Path, PurePath

from dlpipe.contracts.json import digest
from dlpipe.errors import UserError
from dlpipe.pipeline.runs import find_report
from dlpipe.pipeline.store.disk import replace_durably, writing
from dlpipe.report.schema import Report
from dlpipe.toolchains.manager import default_cache_dir


def accepted_file(report: Report) -> Path:
    """Where the cache keeps the accepted run of this model for these targets. A model that was trained anew is the
    same model: its name, its inputs and outputs say which it is, not its bytes."""
    name = PurePath(report.source.path).name or "model"
    key = {
        "name": name,
        "ports": [port.model_dump(mode="json") for port in (*report.source.inputs, *report.source.outputs)],
        "targets": sorted({each.target for each in report.artifacts}),
    }
    return default_cache_dir() / "accepted" / f"{name}-{digest(key)[:12]}.json"


def find_accepted(report: Report, baseline: str | None, *, needed: bool = True) -> Report | None:
    """`baseline`: a run, as `find_report` takes it; None: the one in the cache, or None where there is none.
    needed: whether a baseline that is named must be there. Raises UserError."""
    if baseline is not None:
        return find_report(baseline) if needed or Path(baseline).exists() else None
    file = accepted_file(report)
    return Report.read(file) if file.is_file() else None


def accept(report: Report, baseline: str | None) -> Path:
    """Later runs are held against this one. `baseline`: the file to write, to be kept with the sources, say; None: in
    the cache. Raises UserError where the file is none of ours, DiskTrouble where it cannot be written."""
    file = Path(baseline) if baseline is not None else accepted_file(report)
    if file.is_dir():
        raise UserError(f"{file} is a folder", hint="--accept with --baseline writes a file: --baseline accepted.json")
    if file.exists():
        Report.read(file)
    with writing(file, "the accepted run"):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError as error:  # what /proc and the like answer
            raise UserError(f"no folder can be made at {file.parent}", hint="--baseline names a file") from error
        replace_durably(file, report.to_json().encode())
    return file

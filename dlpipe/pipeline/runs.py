"""Finding a run again: by id, by output folder, by report.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dlpipe.errors import UserError
from dlpipe.pipeline.model_file import beside
from dlpipe.pipeline.store import hash_file
from dlpipe.report.compression import Compression
from dlpipe.report.schema import Report
from dlpipe.toolchains.manager import default_cache_dir


def find_report(run: str) -> Report:
    """Raises UserError when there is none."""
    if find_compression(run) is not None:
        raise UserError(
            f"{run} is of `dlpipe compress`, and this takes runs of `dlpipe convert`",
            hint="`dlpipe report` shows it; limits are given to compress itself, or to a convert of what it wrote",
        )
    path = Path(run)
    if path.exists():
        return Report.read(path)
    return Report.read(run_folder(run))


def find_compression(run: str) -> Compression | None:
    """Of a run of `compress`, by its id, its report, or the model that it wrote; None where it is none."""
    path = Path(run)
    if path.is_file() and path.suffix == ".onnx":
        path = beside(path, "report.json")
    elif not path.exists() and "/" not in run:
        path = default_cache_dir() / "runs" / run
    return Compression.read(path)


def compressed_digest(spec: str) -> str | None:
    """Of the folder that a model written by `compress` comes from; None for what is no such model. Raises UserError
    where the report beside the model speaks of another one."""
    path = Path(spec)
    if not path.is_file() or path.suffix != ".onnx" or (found := find_compression(spec)) is None:
        return None
    if found.chosen is None or found.chosen.model_sha256 != hash_file(path):
        raise UserError(
            f"{beside(path, 'report.json').name} speaks of another model than {path.name}", hint="compress it again"
        )
    return found.chosen.digest


def run_folder(run: str) -> Path:
    """The folder of a run, by its id, or by a report that names it. Raises UserError when it is not known here."""
    runs = default_cache_dir() / "runs"
    run_id = (find_compression(run) or Report.read(Path(run))).run if Path(run).exists() else run
    folder = runs / run_id
    if "/" in run_id or not folder.is_dir():
        if Path(run).exists():
            hint = "where it was computed `dlpipe explain` knows it; of a service's job, the pages tell of each stage"
            raise UserError(f"{run} is of the run {run_id}, of which this machine's cache knows nothing", hint=hint)
        known = sorted((each.name for each in runs.glob("*") if (each / "report.json").exists()), reverse=True)[:3]
        hint = f"the newest here: {', '.join(known)}" if known else "no run has finished on this machine yet"
        raise UserError(f"there is no run or report {run!r}", hint=hint)
    return folder


def stages_of(folder: Path) -> dict[str, Any]:
    """Stage id -> what the run did: its key, hit or miss, status, reason."""
    file = folder / "stages.json"
    if not file.is_file():
        raise UserError(f"run {folder.name} ended before its stages were written", hint="run the command again")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found

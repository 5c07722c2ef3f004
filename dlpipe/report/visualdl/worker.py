"""Log files for VisualDL, through its own writer."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Request, operation
from visualdl import LogWriter
from visualdl.component.base_component import histogram


@operation
def write(request: Request) -> dict[str, Any]:
    """log (log.json, see report/log.py) -> a folder for each of its runs. No graphs: VisualDL opens models."""
    log = json.loads((Path(request.inputs["log"]) / "log.json").read_text(encoding="utf-8"))
    for name, run in log["runs"].items():
        _write(Path(request.out) / _path(name), run, log["created"])
    return {"runs": len(log["runs"])}


def _write(folder: Path, run: dict[str, Any], created: float) -> None:
    folder.mkdir(parents=True)
    milliseconds = int(1000 * created)
    with LogWriter(logdir=str(folder), file_name=f"vdlrecords.{int(created)}.log") as writer:
        for each in run["scalars"]:
            writer.add_scalar(each["tag"], each["value"], each["step"], walltime=milliseconds)
        for each in run["histograms"]:
            edges = np.linspace(each["low"], each["high"], len(each["counts"]) + 1)
            counts = np.asarray(each["counts"], np.float64)
            record = histogram(each["tag"], counts, edges, each["step"], walltime=milliseconds)
            writer._get_file_writer().add_record(record)  # noqa: SLF001 - the public way wants all the values


def _path(name: str) -> str:
    """A relative path, whatever a model or target is called."""
    parts = (re.sub(r"[^A-Za-z0-9_.-]", "_", part).lstrip(".") or "_" for part in name.split("/"))
    return "/".join(parts)

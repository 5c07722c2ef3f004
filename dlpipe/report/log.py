"""A run as what experiment trackers show: scalars over steps, histograms, graphs. Written by `tensorboard/` and
`visualdl/`, each in its toolchain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.report.schema import Artifact, Measured, ModelView, Report, Stage

TRACKERS = ("tensorboard", "visualdl")
LOG = "log.json"


def write_call(tracker: str) -> Call:
    """Input: `log`, a folder with log.json. Output: the tracker's own files, a folder for each run."""
    return Call(tracker, Path(__file__).parent / tracker / "worker.py", "write")


def log(report: Report) -> str:
    """{"created": seconds since 1970, "runs": {name: {"scalars": [{tag, step, value}], "histograms": [{tag, step, low,
    high, mean, std, counts}], "graph": [{name, op, after}]}}}, as JSON. Names may hold slashes."""
    measured = [each for each in report.stages if each.kind in ("reference", "import", "pass") and each.status == "ok"]
    runs = {"stages": _run([each for step, stage in enumerate(measured) for each in _scalars(stage, step)])}
    for artifact in report.artifacts:
        found = _scalars(artifact, 0)
        if found:
            runs[f"artefacts/{artifact.target}/{artifact.backend}-{artifact.variant}"] = _run(found)
    for view in report.views:
        runs[f"models/{view.stage}"] = _model(view)
    return json.dumps({"created": report.created.timestamp(), "runs": runs}, sort_keys=True, allow_nan=False)


def _run(scalars: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"scalars": scalars, "histograms": [], "graph": [], **more}


def _scalars(block: Measured, step: int) -> list[dict[str, Any]]:
    found: dict[str, float | None] = {
        "accuracy": block.accuracy.value if block.accuracy else None,
        "accuracy-drop/points": block.accuracy.drop if block.accuracy else None,
        "error/max-rel": block.fidelity.max_rel if block.fidelity else None,
        "error/cosine": block.fidelity.cosine if block.fidelity else None,
    }
    if isinstance(block, Stage):
        found["seconds"] = block.seconds
    if isinstance(block, Artifact):
        found["size/bytes"] = block.size_bytes
    for each in block.speedups:
        found[f"speed-up/{each.baseline}"] = each.value
    for name, figure in block.cost.items():
        if isinstance(figure.value, int | float) and figure.provenance in ("measured", "estimated"):
            mark = "" if figure.provenance == "measured" else " (estimated)"
            found[f"{name}/{figure.unit or 'value'}{mark}"] = float(figure.value)
    return [{"tag": tag, "step": step, "value": value} for tag, value in found.items() if value is not None]


def _model(view: ModelView) -> dict[str, Any]:
    """The step of a layer or kernel is its place."""
    errors = [("layer-error", step, each.error) for step, each in enumerate(view.nodes) if each.error is not None]
    kernels = [("kernel/ms", step, each.milliseconds) for step, each in enumerate(view.kernels)]
    histograms = [
        {"tag": each.name, "step": 0, **each.model_dump(include={"low", "high", "mean", "std", "counts"})}
        for each in view.weights
    ]
    graph = [each.model_dump(include={"name", "op", "after"}) for each in view.nodes]
    scalars = [{"tag": tag, "step": step, "value": value} for tag, step, value in (*errors, *kernels)]
    return _run(scalars, histograms=histograms, graph=graph)

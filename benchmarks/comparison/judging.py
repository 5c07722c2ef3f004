"""All candidates of a model before the same judge, on the same samples, in the same minutes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.errors import DlpipeError, Interrupted
from dlpipe.toolchains.locking import exclusive

from . import verdicts
from .candidates import Candidate
from .models import Model
from .words import named_on, telling
from .workshop import BENCHMARKS, Workshop

Seen = dict[tuple[str, str], Any]  # (candidate, backend) -> what the judge saw
BASE = "fp32"
_FILES = ("model.onnx", "model.onnx.data", "model.xml", "model.bin")
_QUIET = 0.75  # load per processor up to which the wall clock is believed


def judge(
    shop: Workshop,
    model: Model,
    candidates: Sequence[Candidate],
    settings: Mapping[str, Any],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The record of one model, as benchmarks/results/passes_table.json keeps it."""
    metric = model.settings.get("metric", "top1")
    rows = {each.name: _row(shop, model, each) for each in candidates}
    candidates = [each for each in candidates if each.name == BASE or each.tree != model.ir]  # it had something to do
    seen: Seen = {}
    for each in candidates:
        for backend in each.backends if each.tree else ():
            try:
                seen[each.name, backend] = _seen(shop, model, each, backend, metric)
            except Interrupted:
                raise
            except DlpipeError as error:
                rows[each.name]["backends"][backend] = {"reason": telling(error)}
    say("timing")
    load = os.getloadavg()[0]
    timed = _timed(shop, model, candidates, seen, settings)
    load = max(load, os.getloadavg()[0])
    clock = "wall" if load <= _QUIET * (os.cpu_count() or 1) else "cpu"
    taken = {(name, backend): timed["rounds"][name][backend] for name, backend in seen}
    for (name, backend), what in seen.items():
        rounds, base = taken[name, backend], taken[BASE, backend]
        found: dict[str, Any] = {
            "quality": verdicts.quality(metric, what),
            "lost": verdicts.lost(metric, what, seen[BASE, backend]),
            "faster": verdicts.faster(clock, rounds, base),
            "median_ms": {each: verdicts.median_ms(rounds[each]) for each in rounds},
        }
        if rows[name]["group"] == "competitor":
            found["against"] = {
                ours: {
                    "lost": verdicts.lost(metric, seen[ours, backend], what),
                    "faster": verdicts.faster(clock, taken[ours, backend], rounds),
                }
                for ours in (named_on(each, backend) for each in settings["ours"])
                if (ours, backend) in seen
            }
        rows[name]["backends"][backend] = found
    return {
        "title": model.settings["title"],
        "framework": model.framework,
        "metric": metric,
        "published": model.settings["published"],
        "original": model.original,
        "n": model.counts["evaluation"],
        "calibration": model.counts["calibration"],
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "load": round(load, 1),
        "clock": clock,
        "versions": timed["versions"],
        "candidates": rows,
    }


def _row(shop: Workshop, model: Model, candidate: Candidate) -> dict[str, Any]:
    row: dict[str, Any] = {"group": candidate.group, "of": candidate.of, "backends": {}}
    if candidate.tree is None:
        return {**row, "reason": candidate.reason}
    tree = shop.session.store.tree(candidate.tree)
    row |= {
        "bytes": sum(file.size for file in tree.files if file.name in _FILES),
        "seconds": round(candidate.seconds, 2),
        "changes": list(candidate.changes[:10]),
        "modified": candidate.tree != model.ir,
    }
    if any(file.name == "model.onnx" for file in tree.files):
        row |= shop.onnx("count", ir=candidate.tree, samples=model.calibration).value
    return row


def _seen(shop: Workshop, model: Model, candidate: Candidate, backend: str, metric: str) -> Any:
    answers = _answers(shop, model, candidate.tree or "", backend)
    if metric == "detections":
        reference = _answers(shop, model, model.ir, "onnxruntime")
        return shop.judge("detect", answers=answers, reference=reference).value["matched"]
    return shop.judge("classify", answers=answers, samples=model.evaluation).value["right"]


def _answers(shop: Workshop, model: Model, tree: str, backend: str) -> str:
    return shop.judge("answer", {"backend": backend}, ir=tree, samples=model.evaluation).tree


def _timed(
    shop: Workshop, model: Model, candidates: Sequence[Candidate], seen: Seen, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Never from the store: a time belongs to the minutes in which it was measured."""
    trees = {each.name: each.tree for each in candidates if each.tree}
    wanted = {name: [backend for each, backend in seen if each == name] for name in trees}
    folders = {name: f"c{number}" for number, name in enumerate(trees) if wanted[name]}
    call = Call(
        "judge",
        BENCHMARKS / "judge" / "worker.py",
        "time",
        {
            "candidates": {name: [folder, wanted[name]] for name, folder in folders.items()},
            "rounds": settings["rounds"],
            "seconds": settings["seconds"],
        },
    )
    session = shop.session
    with tempfile.TemporaryDirectory() as scratch, exclusive(session.cache / "timing.lock"):
        inputs = {}
        for folder, tree in [
            *((folder, trees[name]) for name, folder in folders.items()),
            ("samples", model.evaluation),
        ]:
            inputs[folder] = Path(scratch, folder)
            session.store.export(tree, inputs[folder])
        value: dict[str, Any] = session.executor.pool.run(call, inputs, Path(scratch, "out"))
    return value

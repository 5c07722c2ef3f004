"""docs/passes.md from the records of benchmarks/results/."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import costs, exact, processor, pruning, summary
from .records import machines
from .words import BACKENDS, half, points, table, times

_INTRODUCTION = """\
# Passes: what they cost and what they bring

Made by `python benchmarks/passes_table.py MODELS` from trained models and real data; dlpipe imports each model, and
every candidate starts from that import. ONNX Runtime's own quantiser, NNCF and Olive get the same model and the same
calibration samples as dlpipe, in the settings that suit the processor (benchmarks/passes_table.toml): what it says of
itself decides which, as said below. One judge runs everything: {versions}.
No sample is in both the calibration and the evaluation.

*Lost* is in points of accuracy against float32 on the same samples and the same runtime, with half of its paired 95 %
interval (Bonett and Price); negative means better than float32. *Faster* is the ratio of the median latencies of
float32 (dlpipe's import as it is) and the candidate: one thread, batch 1, one process, {rounds} rounds in turns, with
half of its 95 % bootstrap interval. Where others used the machine too, which is said, it is the ratio of the processor
times of the quick fifth of the turns instead. OpenVINO runs with `INFERENCE_PRECISION_HINT=f32` throughout:
it would else take bf16 for float32 here. For UltraFace, which has no labels, the figure is how far the faces found
agree with the original's (F1 of boxes with an IoU of 0.5).

{machines}"""

_BACKENDS = """\
- TVM and ncnn: the other backends of dlpipe run no integers on x86 from these models (ncnn has a format of its own for
  them, and untuned TVM is 20 to 100 times slower than ONNX Runtime, which would hide what a pass does)."""


def render(found: Mapping[str, Any], settings: Mapping[str, Any], folder: Path) -> str:
    """found: model -> record."""
    records = {name: found[name] for name in settings["models"] if name in found}
    judged = {name: record for name, record in records.items() if "candidates" in record}
    versions: Mapping[str, str] = next((record["versions"] for record in judged.values()), {})
    said = ", ".join(f"{BACKENDS[name]} {version}" for name, version in versions.items())
    parts = [
        _INTRODUCTION.format(versions=said or "nothing yet", rounds=settings["rounds"], machines=_machines(judged)),
        *summary.sections(judged, settings),
        exact.section(judged),
        *(_model(name, record, settings["models"][name].get("remark")) for name, record in judged.items()),
        *pruning.sections(folder / "fashion_pruning.json"),
        *costs.sections(folder),
        _not_run(records, [name for name in settings["models"] if name not in records]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _machines(judged: Mapping[str, Any]) -> str:
    """Ratios of times hold on the machine that they were measured on: whoever compares rows is told."""
    found = machines(judged)
    settings = {machine: processor.said(judged[names[0]]) for machine, names in found.items()}
    if len(found) <= 1:
        return "".join(f"Machine: {machine}; {said}." for machine, said in settings.items()) or "Machine: -."
    lines = [f"- {machine}: {', '.join(names)} ({settings[machine]})" for machine, names in found.items()]
    return "\n".join(
        ["**The rows are not of one machine**: their speeds are not to be compared with each other.", "", *lines]
    )


def _model(name: str, record: Mapping[str, Any], remark: str | None) -> str:
    """remark: on what its figures show, found out beside the table."""
    rows = record["candidates"]
    base = rows["fp32"]
    ran = {key: row for key, row in rows.items() if row["backends"]}
    lossy = {key: row for key, row in ran.items() if row["group"] != "exact" or key == "standard passes"}
    exact = {key: row for key, row in ran.items() if row["group"] == "exact"}
    idle = [key for key, row in rows.items() if row["group"] == "exact" and row.get("modified") is False]
    return "\n".join(
        [
            f"## {record['title']}",
            "",
            _facts(name, record),
            "",
            *table(("candidate", "kB", "ORT: %", "lost", "faster", "OpenVINO: lost", "faster"), _lossy(lossy, base)),
            "",
            *table(("exact pass", "nodes", "kB", "answers lost", "ORT: faster", "OpenVINO: faster"), _exact(exact)),
            *(["", f"Nothing to do on this model: {', '.join(idle)}."] if idle else []),
            *(["", remark.strip()] if remark else []),
        ]
    )


def _facts(name: str, record: Mapping[str, Any]) -> str:
    base = record["candidates"]["fp32"]
    original = (
        f"; the original in {record['framework']}: {100 * record['original']:.2f} %" if record["original"] else ""
    )
    clock = "the wall clock" if record["clock"] == "wall" else "processor time"
    macs = f"{base['macs'] / 1e6:.2f} million MACs" if base["macs"] else "MACs unknown"
    return (
        f"`{name}`: published {record['published']}{original}. {record['n']} samples evaluated,"
        f" {record['calibration']} for calibration, {macs}, {base['nodes']} nodes."
        f" Measured {record['date'][:16]} UTC by {clock} (load {record['load']}) on {record.get('machine', 'unknown')}"
        f"{_took(record)}."
    )


def _took(record: Mapping[str, Any]) -> str:
    seconds = sum(record.get("seconds", {}).values())
    return f", {seconds / 60:.0f} minutes in all" if seconds else ""


def _lossy(rows: Mapping[str, Any], base: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    for name, row in rows.items():
        ort, openvino = (row["backends"].get(backend, {}) for backend in BACKENDS)
        fewer = f" ({row['macs'] / 1e6:.2f} M MACs)" if row.get("macs") not in (None, base["macs"]) else ""
        shown = f"dlpipe: {name}" if row["group"] in ("recipe", "chain", "pass") else name
        if row["group"] == "compress":
            shown += f" ({row['changes'][0].partition(':')[0]})"
        quality = f"{ort['quality']['value']:.2f}±{half(ort['quality']):.1f}" if "quality" in ort else "-"
        yield (
            shown + fewer,
            f"{row['bytes'] / 1000:.0f}",
            quality,
            *(text for found in (ort, openvino) for text in (points(found), times(found))),
        )


def _exact(rows: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    for name, row in rows.items():
        found = [row["backends"].get(backend, {}) for backend in BACKENDS]
        gone = max((each["lost"]["value"] for each in found if "lost" in each), default=0.0, key=abs)
        yield name, str(row["nodes"]), f"{row['bytes'] / 1000:.0f}", f"{gone:.2f}", *(times(each) for each in found)


def _not_run(records: Mapping[str, Any], missing: list[str]) -> str:
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    if missing:
        reasons["the whole model", "not run yet: name it with --only"] = missing
    for name, record in records.items():
        if "reason" in record:
            reasons["the whole model", record["reason"]].append(name)
        for candidate, row in record.get("candidates", {}).items():
            if row.get("reason"):
                reasons[candidate, row["reason"]].append(name)
            for backend, found in row["backends"].items():
                if "reason" in found:
                    reasons[f"{candidate} on {BACKENDS[backend]}", found["reason"]].append(name)
    found = [f"- {what}: {why} ({', '.join(names)})" for (what, why), names in sorted(reasons.items())]
    return "\n".join(["## What was not run, and why", "", _BACKENDS, *found])

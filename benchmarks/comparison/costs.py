"""The part of docs/passes.md on what calibration and exact passes need, from the records of benchmarks/calibration.py
and benchmarks/pass_memory.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .words import table

CALIBRATION, MEMORY = "calibration.json", "pass_memory.json"
CALIBRATED = (
    "model",
    "MB, 10 samples",
    "MB, 10,000",
    "ratio",
    "MB beyond a session",
    "ONNX Runtime's MinMax",
    "its Entropy",
    "time, one by one",
    "in batches",
    "ends only",
    "ONNX Runtime's MinMax",
    "its Entropy",
    "measured",
)
PASSED = ("pass", "modified", "load and save, s", "pass, s", "ratio", "worker, MiB", "host, MiB", "load")
_CALIBRATION = """\
Made by `python benchmarks/calibration.py MODEL.onnx`. The peak memory of a process that calibrates `quantize-int8` with
10 and with 10,000 samples (goal: within 5 %); what it takes beyond an idle session with the same tools, on {stock}
samples, beside the calibrator of onnxruntime.quantization; and its processor time over that of bare forward passes on
{timed} samples, one by one and in the batches that it takes where a batch dim is free (goal: 1.5). *Ends only* is
`method=minmax`, which looks at every sample of every tensor; it and the stock calibrator stand over bare passes in
batches."""
_MEMORY = """\
Made by `python benchmarks/pass_memory.py`: {gigabytes:g} GB of weights ({weights}) in a file of their own, each pass as
a stage of its own (laid out, run in the jail, taken into the store), beside onnx_ir's load and save of the same model.
Memory is the peak of resident pages, mapped files included (goals: 1024 MiB each, twice a load and save). A large file
is hashed when it is laid out for the first time in a run: {laid_out:.0f} s here, in no row. Measured {date} on
{machine}."""


def sections(folder: Path) -> Iterable[str]:
    """Of those that have been run."""
    for file, render in ((CALIBRATION, _calibration), (MEMORY, _memory)):
        if (folder / file).exists():
            yield render(json.loads((folder / file).read_text(encoding="utf-8")))


def _calibration(found: Mapping[str, Any]) -> str:
    said = _CALIBRATION.format(stock=found["stock_samples"], timed=found["timed"])
    rows = [calibrated(name, record) for name, record in found["models"].items()]
    return "\n".join(["## Calibration: memory and time", "", said, "", *table(CALIBRATED, rows)])


def calibrated(name: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the table. record: "peak" and "beyond" in bytes, "times" as ratios."""
    few, many = record["peak"]["10"], record["peak"]["10000"]
    beyond, single, batched = record["beyond"], record["times"]["one by one"], record["times"]["in batches"]
    return (
        name,
        f"{few / 1e6:.1f}",
        f"{many / 1e6:.1f}",
        f"{many / few:.3f}",
        *(f"{beyond[way] / 1e6:.1f}" for way in ("ours", "stock MinMax", "stock Entropy")),
        f"{single['ours']:.2f}",
        *(f"{batched[way]:.2f}" for way in ("ours", "ours, ends only", "stock MinMax", "stock Entropy")),
        f"{record['date'][:10]}, load {record['load']:.1f}, {record['machine']}",
    )


def _memory(found: Mapping[str, Any]) -> str:
    said = _MEMORY.format(**{**found, "date": found["date"][:10]})
    rows = [passed(name, record) for name, record in found["passes"].items()]
    return "\n".join(["## Exact passes on weights of many gigabytes", "", said, "", *table(PASSED, rows)])


def passed(name: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the table. record: "unit" and "seconds", peaks in bytes."""
    return (
        name,
        "yes" if record["modified"] else "no",
        f"{record['unit']:.1f}",
        f"{record['seconds']:.1f}",
        f"{record['seconds'] / record['unit']:.2f}",
        *(str(record[process] >> 20) for process in ("worker", "host")),
        f"{record['load']:.1f}",
    )

"""The part of docs/passes.md on channel pruning and sparsity, from the record of benchmarks/fashion_pruning.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .words import table

_SAID = """\
Made by `python benchmarks/fashion_pruning.py`: a ResNet trained on the {train} training images of Fashion-MNIST,
pruned, trained back with the original as teacher, and judged on {test} test images that nothing was chosen by.
*Faster* is on ONNX Runtime with one thread, at batch 1 and at batch 32, by the time in which that thread ran. Trained
on: {device}; timed on: {cpu}, load {load:.1f}. The 5 % of the training images that weights were chosen by had been
seen by the original. *control* is the original trained as long again, *seed* the same with other random numbers;
sparse models are smaller when packed, and not faster."""


def sections(file: Path) -> Iterable[str]:
    """Empty where the experiment has not been run."""
    if not file.exists():
        return
    result = json.loads(file.read_text(encoding="utf-8"))
    said = _SAID.format(
        train=result["data"]["training_images"],
        test=result["data"]["test_images"],
        device=result["tools"]["trained_on"],
        cpu=result["machine"]["cpu"],
        load=result["machine"]["load"],
    )
    head = ("model", "% of MACs", "% zeros", "kB packed", "accuracy", "points lost", "faster", "batch 32")
    rows = [_line(name, each, result["latency"]) for name, each in result["models"].items()]
    yield "\n".join(["## Channel pruning and sparsity, with distillation", "", said, "", *table(head, rows)])


def _line(name: str, model: Mapping[str, Any], latency: Mapping[str, Any]) -> tuple[str, ...]:
    macs = model.get("macs")
    return (
        name,
        f"{100 * macs['after'] / macs['before']:.1f}" if macs else "100",
        f"{100 * model['sparsity']:.1f}" if "sparsity" in model else "-",
        f"{model['gzip_bytes'] / 1000:.0f}",
        f"{100 * model['accuracy']['value']:.2f}",
        _interval(model["drop"]["points"], model["drop"]["ci95"]) if "drop" in model else "-",
        *(_speed(latency[f"batch_{batch}"].get(name)) for batch in (1, 32)),
    )


def _speed(found: Mapping[str, Any] | None) -> str:
    return _interval(found["speedup"], found["ci95"]) if found else "-"


def _interval(value: float, ends: list[float]) -> str:
    return f"{value:.2f}±{(ends[1] - ends[0]) / 2:.2f}"

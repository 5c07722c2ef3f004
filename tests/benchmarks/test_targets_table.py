"""docs/targets.md: a row says by which machine it was made, when it was loaded, and what is too noisy to say."""

from __future__ import annotations

from typing import Any

from benchmarks.deployment.page import render


def row(backend: str, latency: float | None, noise: str | None = None, verdict: str = "passed") -> dict[str, Any]:
    figure = {"value": latency, "unit": "ms", "provenance": "measured", "reason": noise}
    return {
        "target": "x86-64-v3",
        "backend": backend,
        "variant": "fp32",
        "verdict": verdict,
        "reason": None if verdict == "passed" else "ran, but wrong | by far\nand more",
        "ran_on": "native",
        "size_bytes": 1500,
        "fidelity": {"max_rel": 1e-6, "cosine": 1.0},
        "drop": None,
        "estimates": {"luts": {"value": 12, "unit": "cells"}} if backend == "mnn" else {},
        "unknown": {"fmax": "it takes long", "power": "it takes long"} if backend == "mnn" else {},
        "cost": {"latency_p50": figure} if latency else {},
    }


FOUND: dict[str, Any] = {
    "net/x86-64-v3/fp32": {
        "created": "2026-11-27T10:00:00Z",
        "machine": "Later",
        "load": [1.5, 2.5],
        "artifacts": [
            row("onnxruntime", 2.0),
            row("tvm", 3.0, "too noisy to say: ..."),
            row("mnn", None, None, "failed"),
        ],
    },
    "net/x86-64-v3/int8": {"created": "2026-11-26T10:00:00Z", "machine": "First", "load": None, "reason": "no report"},
}


def test_every_row_names_its_machine_and_load() -> None:
    page = render(FOUND, {"net": "A net", "never": "Never run"}, {})
    assert "| A | First | 1 | 2026-11-26 | not recorded |" in page
    assert "| B | Later | 1 | 2026-11-27 | 1.5 to 2.5 |" in page
    lines = [line.split("|") for line in page.splitlines() if line.startswith("| x86-64-v3 | ")]
    assert [tuple(cells[place].strip() for place in (2, 8, 10)) for cells in lines] == [
        ("onnxruntime fp32", "1.00", "B 1.5-2.5"),
        ("tvm fp32", "~1.50", "B 1.5-2.5"),
        ("mnn fp32", "", "B 1.5-2.5"),
        ("all, int8", "", "A"),
    ]
    known = "estimated by the tool: luts 12 cells; not known: fmax, power: it takes long |"
    assert f"ran, but wrong / by far; {known}" in page
    assert "Never run" not in page
    assert "| mnn | MNN, on the CPU | 0 of 1 |  | ran, but wrong / by far |" in page

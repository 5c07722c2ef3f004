"""What `dlpipe bench` prints, at 80 columns."""

from __future__ import annotations

from typing import Any

import pytest

from dlpipe.contracts.figure import Figure
from dlpipe.report.bench import render_bench


def figure(value: float, unit: str, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    interval = (low, high) if low is not None and high is not None else None
    return Figure(value=value, unit=unit, provenance="measured", ci95=interval).model_dump()


def absent(reason: str, unit: str) -> dict[str, Any]:
    return Figure.absent(reason, unit).model_dump()


def timing(scale: float, speedups: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "cost": {
            "latency_p50": figure(0.424 * scale, "ms", 0.414 * scale, 0.436 * scale),
            "latency_p95": figure(0.866 * scale, "ms"),
            "latency_p99": absent("40 runs do not show a 99th percentile (100 would)", "ms"),
            "latency_cv": figure(2.13, "fraction"),
            "load": figure(578.0, "ms"),
            "first_inference": figure(46.4, "ms"),
            "cold_start": figure(5630.0, "ms"),
            "warm_start": figure(1830.0, "ms"),
            "peak_memory": figure(161_000_000, "bytes"),
            "size": figure(1_110_000, "bytes"),
            "energy": absent("no readable counter: needs RAPL", "mJ"),
        },
        "speedups": speedups,
    }


def test_every_line_fits_eighty_columns_and_every_dash_has_its_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ratio = {"baseline": "original", "value": 12.34, "ci95": [10.82, 19.9], "noisy": True, "reason": "too noisy to say"}
    cost = {
        "throughput": figure(1003.0, "1/s", 971.0, 1106.0),
        "latency_p50": figure(14.8, "ms"),
        "latency_p95": figure(24.9, "ms"),
    }
    points = [
        {"model": "first/with/a/long/name", "clients": 2, "batch": 8, "cost": cost},
        {"model": "second", "clients": 2, "batch": 8, "cost": {"throughput": absent("its batch is fixed", "1/s")}},
    ]
    found = {
        "date": "2026-11-27",
        "others": 0.04,
        "timed": {"first/with/a/long/name": timing(1, []), "second": timing(1 / 12.34, [ratio])},
        "throughput": {"points": points, "cores": [0, 1], "others": 0.63},
    }
    render_bench(found, "a machine")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines]
    assert ["A", "0.424", "ms", "0.414–0.436", "ms", "0.866", "ms", "–", "[1]", "213", "%", "baseline"] in rows
    assert any(row[0] == "B" and "~12.3×" in row and "(10.8–19.9)" in row for row in rows if row)
    assert ["A", "2", "8", "1,003", "971–1,106", "14.8", "ms", "24.9", "ms"] in rows
    for reason in ("40 runs do not show", "too noisy to say", "needs RAPL", "its batch is fixed"):
        assert sum(reason in line for line in lines) == 1
    assert "Cores: 0, 1." in " ".join(lines)
    assert " ".join(lines).count("other programs took") == 1
    assert "Throughput: other programs took 63 % of the CPUs" in " ".join(lines)

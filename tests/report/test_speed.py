"""How the latency, memory and limit of what ran for real are shown by every renderer."""

from __future__ import annotations

import io

from rich.console import Console

from dlpipe.contracts.figure import Figure
from dlpipe.report import Report
from dlpipe.report.html import render_html
from dlpipe.report.markdown import render_markdown
from dlpipe.report.schema import Environment
from dlpipe.report.scorecard import scorecard
from dlpipe.report.terminal import render_terminal

from .factory import artifact, sample_report

BOUND = "bound by arithmetic: 12.5 M multiplications with additions, in float32 at 90 GFLOP/s, would take 0.278 ms"
NOISE = "too noisy to say: the middle half of 500 runs spreads over 38 % of the median"


def timed(noise: str | None = None, low: float = 0.416) -> Report:
    def measured(value: float, unit: str) -> Figure:
        return Figure(value=value, unit=unit, provenance="measured")

    cost = {
        "latency_p50": Figure(value=0.437, unit="ms", provenance="measured", reason=noise, ci95=(low, 0.448)),
        "latency_p95": measured(0.882, "ms"),
        "latency_p99": measured(16.7, "ms"),
        "latency_cv": measured(0.12, "fraction"),
        "cold_start": measured(4180.0, "ms"),
        "warm_start": measured(1450.0, "ms"),
        "peak_memory": measured(69_200_000, "bytes"),
        "energy": Figure(value=12.5, unit="mJ", provenance="measured", reason="RAPL package-0"),
        "intensity": Figure(value=20.0, unit="FLOP/byte", provenance="estimated"),
        "roofline": Figure(value=0.635, unit="fraction", provenance="estimated", reason=BOUND),
    }
    made = artifact("onnxruntime", "fp32", target="x86-64", ran_on="native", provenance="measured", cost=cost)
    emulated = artifact("onnxruntime", "int8")
    limits = {"peak_f32": Figure(value=90.0, unit="GFLOP/s", provenance="measured", reason="best of several products")}
    report = sample_report(artifacts=(made, emulated), selected={}, gates=(), environment=Environment(limits=limits))
    return report.model_copy(update={"scorecard": scorecard(report)})


def shown(report: Report) -> str:
    file = io.StringIO()
    render_terminal(report, console=Console(file=file, width=80, highlight=False))
    return file.getvalue()


def test_the_terminal_has_a_row_for_what_was_timed_and_none_for_what_was_emulated() -> None:
    text = shown(timed())
    assert max(map(len, text.splitlines())) <= 80
    rows = [line.split() for line in text.partition("Latency and memory")[2].splitlines()]
    figures = "0.437 ms 0.416–0.448 ms 0.882 ms 1.45 s 69.2 MB 63.5 %"
    assert ["onnxruntime", "fp32", *figures.split()] in rows
    assert text.count("Latency and memory") == 1
    assert "~0.437" not in text


def test_noise_is_marked_at_the_median_and_said_once() -> None:
    text = shown(timed(NOISE))
    assert "~0.437 ms" in text
    assert " ".join(text.split()).count("~ too noisy to say") == 1


def test_an_interval_names_its_unit_once_unless_its_ends_have_two() -> None:
    assert "41.6 µs–0.448 ms" in shown(timed(low=0.0416))


def test_markdown_has_every_figure_and_what_bounds_it() -> None:
    lines = render_markdown(timed()).splitlines()
    (row,) = [line for line in lines if line.startswith("| x86-64 | onnxruntime fp32 | 0")]
    for figure in ("0.416–0.448 ms", "16.7 ms", "12.0 %", "4.18 s", "12.5 mJ", "63.5 %", "bound by arithmetic"):
        assert figure in row


def test_html_has_the_limit_the_energy_and_the_machine_s_peak() -> None:
    html = render_html(timed())
    for part in ("Of this machine&#39;s limit", BOUND, "12.5 mJ", "95 % interval 0.416–0.448 ms", "90.0 GFLOP/s"):
        assert part in html


def test_a_busy_machine_is_said_and_a_quiet_one_is_not() -> None:
    def crowded(share: float) -> Report:
        taken = Figure(value=share, unit="fraction", provenance="measured")
        return timed().model_copy(update={"environment": Environment(taken_by_others=taken)})

    line = "Other programs took 63 % of the CPUs while this was measured"
    for render in (shown, render_markdown):
        assert line in render(crowded(0.63))
        assert "Other programs" not in render(crowded(0.05))
    assert "63.0 %" in render_html(crowded(0.63))


def test_the_scorecard_has_energy_and_limit() -> None:
    row = next(each for each in timed().scorecard if each.target == "x86-64")
    assert row.indicators["performance.resources.power"].value == 12.5
    assert row.indicators["performance.inference-speed.roofline"].value == 0.635

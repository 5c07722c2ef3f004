"""The report of a compression: text, page, plot."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from rich.console import Console

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Accuracy, Speedup
from dlpipe.report.compression import Applied, Chosen, Compression, Figures, Part, Tried
from dlpipe.report.compression_html import render_compression_html
from dlpipe.report.compression_text import render_compression
from dlpipe.report.pareto import plot

HOSTILE = "<script>alert(1)</script>"


def figures(drop: float, size: int, speed: float | None = None) -> Figures:
    return Figures(
        accuracy=Accuracy(metric="top-1", value=0.9, ci95=(0.88, 0.92), n=1000, drop=drop, p_value=0.25),
        cost={"size": Figure(value=size, unit="bytes", provenance="measured")},
        speedup=None
        if speed is None
        else Speedup(baseline="reference-runtime", value=speed, ci95=(speed - 0.1, speed + 0.1), provenance="measured"),
        speedup_reason="not timed" if speed is None else None,
    )


def report(**more: object) -> Compression:
    tried = (
        Tried(
            number=1,
            recipe="int8",
            steps=(Applied(name="quantize-int8", params={"keep": ["a", HOSTILE], "operators": ["Gemm", "Conv"]}),),
            figures=figures(0.1, 40_000, 1.8),
            verdict="meets",
            pareto=True,
        ),
        Tried(number=2, recipe="fp16", figures=figures(0.0, 60_000, 0.5), verdict="no-gain", reason="not faster"),
        Tried(
            number=3, recipe="int4", verdict="failed", reason=f"refused: {HOSTILE}", left_out={"equalize": "no pair"}
        ),
    )
    values = {
        "dlpipe_version": "0",
        "run": "r",
        "created": datetime(2026, 1, 1, tzinfo=UTC),
        "model": HOSTILE,
        "sha256": "0" * 64,
        "format": "onnx",
        "minimised": "latency",
        "limits": {"max_accuracy_drop": 0.5},
        "parts": (Part(use="rank", count=500, source="d"), Part(use="final", count=1500, source="d")),
        "base": figures(0.0, 100_000),
        "tried": tried,
        "chosen": Chosen(number=1, recipe="int8", figures=figures(0.2, 40_000, 1.7), reason="the fastest"),
        **more,
    }
    return Compression.model_validate(values)


def text_of(found: Compression, width: int = 160) -> str:
    console = Console(width=width, record=True, file=None, color_system=None)
    with console.capture() as captured:
        render_compression(found, console=console)
    return captured.get()


def test_the_text_says_what_was_tried_and_on_what() -> None:
    text = text_of(report())
    for word in (
        "ranked on 500 samples",
        "finally measured on 1,500 samples",
        "* 1",
        "keep=2 layers",
        "operators=Gemm/Conv",
        "0.25",
        "1.80× [1.70, 1.90]",
        "meets (Pareto)",
        "[2] not faster",
        "[3] equalize left out: no pair",
        "int8: the fastest",
        "40.0 kB",
    ):
        assert word in text, word


def test_what_makes_the_same_file_is_one_row() -> None:
    found = report()
    first, *others = found.tried
    twice = found.model_copy(update={"tried": (first.model_copy(update={"also": ("whole", "int8-4")}), *others)})
    assert "[1] the same file comes of whole, int8-4" in text_of(twice)


def test_a_narrow_terminal_has_settings_in_lines_of_their_own() -> None:
    lines = text_of(report(), 80).splitlines()
    assert any(line.split()[:3] == ["*", "1", "int8"] and "1.80×" in line for line in lines)
    assert "[1] quantize-int8(keep=2 layers, operators=Gemm/Conv)" in lines
    assert not any("MACs" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_the_page_is_whole_and_escapes_what_is_hostile() -> None:
    page = render_compression_html(report())
    assert HOSTILE not in page
    assert "alert(1)" in page

    tags: list[str] = []
    checker = HTMLParser()
    checker.handle_starttag = lambda tag, attrs: tags.append(tag)
    checker.feed(page)
    assert "script" not in tags
    assert tags.count("circle") == 4  # three models that have both figures, and the ring of the chosen one
    assert "http://" not in page
    assert "https://" not in page


def test_nothing_chosen_is_a_page_too() -> None:
    assert "Nothing that was tried keeps the limits" in render_compression_html(report(chosen=None))
    assert "stays as it is" in render_compression_html(
        report(chosen=Chosen(number=0, recipe="fp32", figures=figures(0.0, 100_000), reason="no gain"))
    )


def test_the_plot_has_its_points_in_order_and_the_front_of_what_nothing_beats() -> None:
    found = plot(report())
    assert found is not None
    by_number = {point.number: point for point in found.points}
    assert set(by_number) == {0, 1, 2}
    assert by_number[1].x > by_number[0].x == by_number[2].x
    assert by_number[1].y > by_number[0].y > by_number[2].y
    assert [by_number[number].front for number in (0, 1, 2)] == [True, True, False]
    assert found.limit is not None
    assert found.limit > by_number[1].x
    assert [tick.place for tick in found.x_ticks] == sorted(tick.place for tick in found.x_ticks)


def test_for_size_less_is_better_and_the_scale_begins_at_0() -> None:
    found = plot(report(minimised="size"))
    assert found is not None
    assert [point.front for point in found.points] == [False, True, True]
    assert found.y_ticks[0].text == "0 B"


def test_one_point_is_no_plot() -> None:
    assert plot(report(tried=(), chosen=None)) is None


@pytest.mark.parametrize("drop", [0.0, 100.0, -3.0])
def test_places_stay_on_the_square(drop: float) -> None:
    tried = Tried(number=1, recipe="r", figures=figures(drop, 1, 1.0), verdict="breaks", reason="x")
    found = plot(report(tried=(tried,), chosen=None))
    assert found is not None
    assert all(0 <= place <= 100 for point in found.points for place in (point.x, point.y))


def test_the_json_is_read_again() -> None:
    found = report()
    assert Compression.model_validate_json(found.to_json()) == found


def test_points_in_one_place_share_a_label() -> None:
    same = report().tried[0].model_copy(update={"number": 4, "recipe": "again"})
    found = plot(report(tried=(*report().tried, same)))
    assert found is not None
    assert {each.number: each.label for each in found.points} == {0: "0", 1: "1, 4", 2: "2", 4: ""}


def test_the_page_says_reasons_beside_the_passes_and_marks_the_chosen_one() -> None:
    page = render_compression_html(report())
    assert "fp16: <small>not faster</small></td>" in page
    assert page.count('<tr class="is-chosen">') == 1


def test_inputs_that_were_made_up_are_called_generated_samples() -> None:
    found = report(parts=(Part(use="rank", count=16, source="generated"),))
    for shown in (text_of(found), render_compression_html(found)):
        assert "ranked on 16 generated samples" in shown


@pytest.mark.parametrize(("minimised", "gain"), [("latency", "faster"), ("size", "smaller")])
def test_a_model_that_stays_as_it_is_has_no_speedup(minimised: str, gain: str) -> None:
    kept = Chosen(number=0, recipe="fp32", figures=figures(0.0, 100_000), reason="the optimised model")
    found = report(chosen=kept, minimised=minimised)
    assert f"nothing that was tried is {gain} and keeps the limits" in render_compression_html(found)
    assert text_of(found).rstrip().endswith("size 100 kB")

"""Neighbours that read the same share a row, in every format; nothing that differs is hidden by it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dlpipe.report import grouping, view
from dlpipe.report.html import render_html
from dlpipe.report.markdown import stage_rows

from .factory import accuracy, cost, fidelity, sample_report, speedup, stage


def test_a_run_is_named_by_its_ends() -> None:
    assert grouping.label(["import"]) == "import"
    assert grouping.label(["fuse", "clean"]) == "fuse, clean"
    assert grouping.label(["import", "simplify", "clean"]) == "import … clean"
    assert grouping.members(["fuse", "clean"]) == ""
    assert grouping.members(["import", "simplify", "clean"]) == "import, simplify, clean"


def test_shared_words_are_said_once() -> None:
    assert grouping.label(["arm64 tvm fp32", "arm64 tvm fp16"]) == "arm64 tvm fp32, fp16"
    assert grouping.label(["arm64 tvm fp32", "x", "arm64 ncnn fp16"]) == "arm64 tvm fp32 … ncnn fp16"
    assert grouping.label(["same", "same"]) == "same, same"


@given(st.lists(st.integers(0, 2)))
def test_runs_are_longest_and_lose_nothing(items: list[int]) -> None:
    runs = grouping.alike(items, lambda each: each)
    assert [each for run in runs for each in run] == items
    assert all(len(set(run)) == 1 for run in runs)
    assert all(before[0] != after[0] for before, after in pairwise(runs))


def test_charts_and_fidelity_group_what_is_identical() -> None:
    report = sample_report()
    losses, speedups = view.accuracy_chart(report), view.speedup_chart(report)
    assert losses is not None
    assert speedups is not None
    assert [bar.datum.label for bar in losses.bars][:2] == ["import … fp16", "int8"]
    assert losses.bars[0].datum.members == "import, simplify, fuse, fp16"
    assert [bar.datum.label for bar in speedups.bars] == ["import", "simplify", "fuse", "fp16", "int8"]
    assert [row.name for row in view.fidelity_rows(report)][:3] == ["import, simplify", "fuse", "fp16"]
    assert "the same for each of import, simplify, fuse, fp16" in render_html(report)


def test_markdown_names_every_stage_of_a_row() -> None:
    same = {"fidelity": fidelity(3e-7), "accuracy": accuracy(0.94, 0.0, (-0.4, 0.4), 1.0), "cost": cost(0.5, 99_000)}
    stages = (
        stage("import", "import", (), **same),
        stage("samples", "data", ("import",)),
        stage("fold", "pass", ("import",), cache="hit", **same),
        stage("fuse", "pass", ("fold",), **same, speedups=(speedup(4.1, 3.8, 4.4),)),
        stage("compile:x", "compile", ("fuse",)),
    )
    rows = stage_rows(sample_report(stages=stages))
    assert [row[:3] for row in rows] == [
        ["samples", "ok", "miss"],
        ["import, fold", "ok", "miss, hit"],
        ["fuse", "ok", "miss"],
    ]

"""The ranking of backends: shares of the best, weights, and what is not ranked."""

from __future__ import annotations

from typing import Any

import pytest

from dlpipe.contracts.figure import Figure
from dlpipe.errors import UserError
from dlpipe.report import Artifact, Report
from dlpipe.report.languages import language
from dlpipe.report.ranking import Ranking, default_weights, parse_weights, rank
from dlpipe.report.scorecard_html import render_scorecard

from .factory import accuracy, artifact, sample_report

LATENCY, STORAGE = "performance.inference-speed.latency-p50", "performance.resources.storage"


def made(backend: str, latency: float | None, size: int, variant: str = "fp32", **more: Any) -> Artifact:
    cost = {"latency_p50": Figure(value=latency, unit="ms", provenance="measured")} if latency else {}
    values = {"ran_on": "native", "provenance": "measured", "size_bytes": size, "cost": cost, **more}
    return artifact(backend, variant, accuracy=accuracy(0.9, 0.0, (-0.1, 0.1), 1.0), **values)


def report(*artifacts: Artifact, **changes: Any) -> Report:
    return sample_report(artifacts=artifacts, selected={}, **changes)


def one(*artifacts: Artifact, **weights: float) -> Ranking:
    (found,) = rank([report(*artifacts)], parse_weights({name.replace("_", "-"): w for name, w in weights.items()}))
    return found


def test_a_score_is_the_share_of_the_best() -> None:
    found = one(made("tvm", 2.0, 100), made("ncnn", 1.0, 400), latency_p50=3, storage=1)
    assert [(each.row.backend, each.score) for each in found.rows] == [
        ("ncnn", pytest.approx(0.75 * 1.0 + 0.25 * 0.25)),
        ("tvm", pytest.approx(0.75 * 0.5 + 0.25 * 1.0)),
    ]
    assert found.weights == {LATENCY: 0.75, STORAGE: 0.25}
    assert one(made("tvm", 2.0, 100), made("ncnn", 1.0, 400), storage=1).rows[0].row.backend == "tvm"


def test_what_one_lacks_scores_nothing_and_what_all_lack_does_not_count() -> None:
    found = one(made("tvm", None, 100), made("ncnn", 1.0, 100), latency_p50=1, storage=1)
    assert [(each.row.backend, each.score) for each in found.rows] == [("ncnn", 1.0), ("tvm", 0.5)]
    found = one(made("tvm", None, 100), made("ncnn", None, 200), latency_p50=1, storage=1)
    assert found.unknown == (LATENCY,)
    assert found.weights == {STORAGE: 1.0}


def test_the_artefact_of_a_backend_is_the_one_that_would_be_chosen() -> None:
    timed = [
        made("ncnn", latency, 100, variant=name) for name, latency in (("fp32", 4.0), ("fp16", 3.0), ("int8", 5.0))
    ]
    assert [each.row.variant for each in one(*timed, storage=1).rows] == ["fp16"]
    emulated = [made("ncnn", None, size, variant=name) for name, size in (("fp32", 400), ("int8", 100), ("fp16", 200))]
    assert [each.row.variant for each in one(*emulated, storage=1).rows] == ["int8"]
    failed = made("ncnn", None, 50, variant="int4", verdict="failed", reason="ran, but wrong")
    assert [each.row.variant for each in one(failed, *emulated, storage=1).rows] == ["int8"]


def test_only_what_passed_is_ranked() -> None:
    wrong = made("tvm", 0.1, 1, verdict="failed", reason="ran, but wrong")
    found = one(wrong, made("ncnn", 1.0, 100), latency_p50=1)
    assert [(each.row.backend, each.score) for each in found.rows] == [("ncnn", 1.0), ("tvm", None)]
    assert found.rows[1].reason == "failed: ran, but wrong"


def test_runs_are_ranked_together_target_by_target() -> None:
    first, second = report(made("tvm", 2.0, 100)), report(made("ncnn", 1.0, 100), run="20261121-000000-0000")
    (found,) = rank([first, second], {LATENCY: 1.0})
    assert [(each.run, each.row.backend) for each in found.rows] == [(second.run, "ncnn"), (first.run, "tvm")]


def test_names_of_weights() -> None:
    assert parse_weights({"latency-p50": 2}) == {LATENCY: 2}
    whole = parse_weights({"performance.start-up": 3})
    assert whole == {"performance.start-up.cold": pytest.approx(1), "performance.start-up.warm": pytest.approx(2)}
    for bad in ({"speed": 1.0}, {"latency-p50": -1.0}, {"latency-p50": 0.0}, {"toolset": 1.0}):
        with pytest.raises(UserError, match="--weights"):
            parse_weights(bad)
    assert default_weights()[LATENCY] == 3


def test_the_page_has_the_plots_the_figures_and_both_languages() -> None:
    found = report(made("tvm", 2.0, 100), made("ncnn", 1.0, 400))
    page = render_scorecard([found], rank([found], default_weights()), language("en"))
    assert "First: arm64: ncnn fp32" in page
    assert page.count('<polygon class="shape') == 2
    assert '<svg class="plot"' in page
    chinese = render_scorecard([found], rank([found], default_weights()), language("zh"))
    assert '<html lang="zh">' in chinese
    assert "排名" in chinese
    assert "inference speed" not in chinese

from __future__ import annotations

from dlpipe.contracts.figure import Figure
from dlpipe.report.indicators import indicators
from dlpipe.report.scorecard import ancestors, scorecard

from .factory import cost, sample_report, speedup


def test_every_row_has_every_indicator_with_value_or_reason() -> None:
    report = sample_report()
    assert [(row.target, row.backend) for row in report.scorecard] == [
        ("arm64", "onnxruntime"),
        ("arm64", "tvm"),
        ("arm64", "ncnn"),
        ("arm64", "mnn"),
    ]
    for row in report.scorecard:
        assert list(row.indicators) == [each.id for each in indicators()]
        assert all(figure.value is not None or figure.reason for figure in row.indicators.values())


def test_the_best_artefact_stands_for_its_backend() -> None:
    rows = {row.backend: row for row in sample_report().scorecard}
    assert rows["tvm"].variant == "fp32"  # int8 failed
    assert rows["onnxruntime"].indicators["performance.resources.storage"].value == 30_204


def test_an_emulator_claims_no_speed_but_its_answers_count() -> None:
    row = sample_report().scorecard[0]
    latency = row.indicators["performance.inference-speed.latency-p50"]
    assert latency.provenance == "absent"
    assert "emulator" in (latency.reason or "")
    accuracy = row.indicators["performance.inference-speed.accuracy"]
    assert (accuracy.value, accuracy.provenance) == (0.9375, "emulated")
    assert row.indicators["ease-of-use.cross-platform.platforms"].value == "arm64 (qemu-aarch64)"


def test_measured_costs_fill_their_indicators() -> None:
    report = sample_report()
    native = report.artifacts[0].model_copy(
        update={
            "cost": cost(0.5, 1000) | {"cold_start": Figure(value=80.0, unit="ms", provenance="measured")},
            "ran_on": "native",
            "provenance": "measured",
            "speedups": (speedup(2.0, 1.9, 2.1).model_copy(update={"baseline": "reference-runtime"}),),
        }
    )
    row = scorecard(report.model_copy(update={"artifacts": (native,)}))[0]
    assert row.indicators["performance.inference-speed.latency-p50"].value == 0.5
    assert row.indicators["performance.inference-speed.ratio"].value == 2.0
    assert row.indicators["performance.start-up.cold"].value == 80.0
    assert row.indicators["performance.start-up.warm"].reason == "start-up was not measured in this run"


def test_what_was_ruled_out_says_so_everywhere() -> None:
    row = sample_report().scorecard[3]
    reasons = {figure.reason for figure in row.indicators.values() if figure.value is None}
    assert reasons == {"ruled out by pre-flight: GatherND is not covered on armv7"}


def test_components_are_the_passes_the_artefact_descends_from() -> None:
    report = sample_report()
    assert report.scorecard[0].indicators["ease-of-use.model-optimisation.components"].value == "simplify, fuse, int8"
    assert "fp16" not in ancestors(report, report.artifacts[0])


def test_labels_come_in_both_languages_and_ids_are_unique() -> None:
    found = indicators()
    assert len({each.id for each in found}) == len(found)
    for each in found:
        for label in (each.level1, each.level2, each.level3):
            assert label.en
            assert any("\u4e00" <= char <= "\u9fff" for char in label.zh)

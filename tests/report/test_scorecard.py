from __future__ import annotations

from dlpipe.contracts.figure import Figure
from dlpipe.report.indicators import indicators
from dlpipe.report.scorecard import ancestors, scorecard

from .factory import cost, sample_report, speedup, stage


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


def test_whether_it_can_be_encrypted_is_known_without_trying() -> None:
    report = sample_report()
    first, other = report.scorecard[0].artifact, report.scorecard[1].artifact
    rows = scorecard(report, {first: None, other: "its runtime reads files"})
    can, cannot, unknown = (row.indicators["security.encryption"] for row in rows[:3])
    assert (can.value, can.provenance) == ("AES-256-GCM", "measured")
    assert "it was not done in this run" in (can.reason or "")
    assert (cannot.value, cannot.reason) == (None, "its runtime reads files")
    assert (unknown.value, "not looked at" in (unknown.reason or "")) == (None, True)


def test_what_compiled_it_is_its_toolset() -> None:
    report = sample_report()
    compiled = stage("compile:x", "compile", ("fuse",), tool="onnxruntime", tool_version="1.31.1")
    artifact = report.artifacts[0].model_copy(update={"after": (compiled.id,)})
    changed = report.model_copy(update={"stages": (*report.stages, compiled), "artifacts": (artifact,)})
    figure = scorecard(changed)[0].indicators["low-level.instruction-sets.toolset"]
    assert (figure.value, figure.provenance) == ("onnxruntime 1.31.1", "measured")
    assert "were not read" in (figure.reason or "")


def test_what_could_not_be_executed_says_why_where_a_run_is_missing() -> None:
    report = sample_report()
    unrun = {"ran_on": "none", "verdict": "unverified", "provenance": "absent", "reason": "it needs a GPU"}
    unrun |= {"cost": {}, "accuracy": None, "accuracy_reason": "not measured"}
    (row,) = scorecard(report.model_copy(update={"artifacts": (report.artifacts[0].model_copy(update=unrun),)}))
    for name in ("performance.start-up.cold", "performance.inference-speed.ratio", "low-level.hardware.device"):
        assert row.indicators[name].reason == "it needs a GPU"
    assert row.indicators["performance.resources.storage"].value == 30_204

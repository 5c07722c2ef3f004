"""SARIF: valid against the published schema, and a finding names the node that it is about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from dlpipe.report import Note, Report
from dlpipe.report.sarif import MAX_NODES, render_sarif
from dlpipe.report.schema import DepartsAt, Refusal

from .factory import sample_report
from .test_html import hostile

SCHEMA = json.loads((Path(__file__).with_name("schemas") / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))


def results(report: Report) -> list[dict[str, Any]]:
    log = json.loads(render_sarif(report))
    assert list(jsonschema.Draft4Validator(SCHEMA).iter_errors(log)) == []
    found: list[dict[str, Any]] = log["runs"][0]["results"]
    return found


def places(result: dict[str, Any]) -> list[str]:
    return [each["fullyQualifiedName"] for each in result["locations"][0].get("logicalLocations", ())]


def by_rule(report: Report) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for each in results(report):
        found.setdefault(each["ruleId"], []).append(each)
    return found


def test_every_kind_of_trouble_is_a_finding_at_its_place() -> None:
    found = by_rule(sample_report())
    assert {rule: len(each) for rule, each in found.items()} == {
        "warning": 2,  # of a stage, and of the run
        "artefact-failed": 2,
        "artefact-unverified": 1,
        "gate-open": 1,
    }
    wrong = next(each for each in found["artefact-failed"] if "ncnn" in each["message"]["text"])
    assert places(wrong) == ["output/Softmax", "artefact/artifacts/arm64/ncnn-fp16"]
    assert wrong["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "DS_CNN_S.pb"
    assert (found["gate-open"][0]["kind"], found["gate-open"][0]["level"]) == ("open", "none")


def test_an_artefact_that_departs_is_found_at_the_node_that_bisecting_named() -> None:
    report = sample_report()
    where = DepartsAt(verdict="node", node="Conv_4", op="Conv", said="Conv_4 departs", command="dlpipe bisect a b")
    wrong = report.artifacts[2].model_copy(update={"departs_at": where})
    (found,) = by_rule(report.model_copy(update={"artifacts": (wrong,)}))["artefact-failed"]
    assert places(found)[0] == "node/Conv_4"
    assert found["properties"]["command"] == "dlpipe bisect a b"


def test_what_preflight_refuses_is_found_at_the_nodes() -> None:
    report = sample_report()
    refusal = Refusal(reason="GatherND is not covered on armv7", op="GatherND", nodes=("tail/gather", "tail/gather_1"))
    refused = report.artifacts[4].model_copy(update={"refusals": (refusal,)})
    (found,) = by_rule(report.model_copy(update={"artifacts": (refused,)}))["preflight-refused"]
    assert places(found) == ["node/tail/gather", "node/tail/gather_1", "artefact/artifacts/arm64/mnn-fp32"]
    assert found["properties"]["op"] == "GatherND"

    many = refusal.model_copy(update={"nodes": tuple(f"n{index}" for index in range(1000))})
    refused = refused.model_copy(update={"refusals": (many,)})
    (found,) = by_rule(report.model_copy(update={"artifacts": (refused,)}))["preflight-refused"]
    assert len(places(found)) == MAX_NODES + 1
    assert "1000 nodes" in found["message"]["text"]


def test_a_failed_pass_is_found_at_the_node_that_its_note_names() -> None:
    report = sample_report()
    note = Note(level="warning", message="Conv_4 overflows", where={"node": "Conv_4", "op": "Conv"})
    stages = tuple(
        each.model_copy(update={"status": "failed", "reason": "left out", "notes": (note,)})
        if each.id == "fp16"
        else each
        for each in report.stages
    )
    (found,) = by_rule(report.model_copy(update={"stages": stages}))["stage-failed"]
    assert places(found) == ["node/Conv_4", "stage/fp16"]


def test_the_same_finding_of_the_next_run_has_the_same_fingerprint() -> None:
    before, after = sample_report(), sample_report(run="20261121-120000-ffff")
    assert [each["partialFingerprints"] for each in results(before)] == [
        each["partialFingerprints"] for each in results(after)
    ]


def test_hostile_names_and_odd_paths_stay_valid() -> None:
    assert results(hostile())
    source = sample_report().source.model_copy(update={"path": "/data/my models/net #1.onnx"})
    for each in results(sample_report(source=source)):
        uri = each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri == "file:///data/my%20models/net%20%231.onnx"

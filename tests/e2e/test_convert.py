"""The main job: a TensorFlow frozen graph in, verified arm64 artefacts and a scorecard out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dlpipe.report.schema import Report
from tests.e2e.user import User

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

BACKENDS = {"onnxruntime", "tvm", "ncnn"}


@pytest.fixture(scope="module")
def model(shared: Path) -> Path:
    return shared / "models" / "arm_ml_kws" / "DS_CNN_S.pb"


@pytest.fixture(scope="module")
def report(settled_user: User, model: Path, keyword_clips: Path) -> dict[str, Any]:
    """Of the run that the issue asks for."""
    done = settled_user.ok("convert", model, "--target", "arm64", "--data", keyword_clips, "--out", "ds", "--json")
    found: dict[str, Any] = done.json
    return found


def artifacts(report: dict[str, Any], **wanted: str) -> list[dict[str, Any]]:
    return [each for each in report["artifacts"] if all(each[key] == value for key, value in wanted.items())]


def test_the_report_is_valid_against_its_own_schema(report: dict[str, Any], settled_user: User) -> None:
    jsonschema.Draft202012Validator(Report.json_schema()).validate(report)
    assert json.loads((settled_user.folder / "ds" / "report.json").read_text()) == report


def test_input_output_and_the_cut_are_found_without_help(report: dict[str, Any]) -> None:
    source = report["source"]
    assert source["format"] == "tensorflow/graphdef"
    assert len(source["inputs"]) == len(source["outputs"]) == 1
    assert source["outputs"][0]["shape"] == [1, 12]
    assert source["reference"]["kind"] == "original"
    assert source["reference"]["tool"].startswith("tensorflow 2.")
    (cut,) = source["preprocessing"]
    assert all(op in cut for op in ("DecodeWav", "AudioSpectrogram", "Mfcc"))


def test_float_stages_equal_tensorflow(report: dict[str, Any]) -> None:
    checked = [
        stage for stage in report["stages"] if stage["fidelity"] and not stage["id"].startswith(("fp16", "int8"))
    ]
    assert {"import", "simplify", "fold-batchnorm"} <= {stage["id"] for stage in checked}
    for stage in checked:
        assert stage["fidelity"]["vs"] == "original"
        assert stage["fidelity"]["passed"], stage["id"]
        assert stage["fidelity"]["max_rel"] <= 1e-4


def test_every_backend_has_an_artefact_that_ran_under_emulation_and_agreed(report: dict[str, Any]) -> None:
    passed = artifacts(report, target="arm64", verdict="passed")
    assert {each["backend"] for each in passed if each["variant"] == "fp32"} == BACKENDS
    for each in passed:
        assert each["ran_on"] == "qemu-aarch64"
        assert each["provenance"] == "emulated"
        if each["variant"] == "fp32":
            assert each["fidelity"]["max_rel"] <= 1e-4


def test_no_speed_is_claimed_from_an_emulator(report: dict[str, Any]) -> None:
    for each in report["artifacts"]:
        assert each["speedups"] == []
        assert each["cost"].get("latency_p50", {"value": None})["value"] is None


def test_the_int8_variant_has_its_accuracy_drop_and_interval(report: dict[str, Any]) -> None:
    int8 = next(stage for stage in report["stages"] if stage["id"].startswith("int8"))
    assert any("calibrated on some of them" in note["message"] for note in report["notes"])
    accuracy = int8["accuracy"]
    assert accuracy["n"] >= 200
    assert accuracy["drop"] is not None
    low, high = accuracy["drop_ci95"]
    assert low <= accuracy["drop"] <= high
    original = next(stage for stage in report["stages"] if stage["id"] == "reference")
    assert original["accuracy"]["value"] == pytest.approx(0.911, abs=0.005)


def test_the_output_folder_is_what_the_manifest_says(report: dict[str, Any], settled_user: User) -> None:
    out = settled_user.folder / "ds"
    manifest = json.loads((out / "manifest.json").read_text())["files"]
    there = {
        path.relative_to(out).as_posix()
        for path in out.rglob("*")
        if path.is_file() and path.relative_to(out).parts[0] not in ("selected", "manifest.json")
    }
    assert there == set(manifest)
    for name, entry in manifest.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == entry["sha256"]
    chosen = report["selected"]["arm64"]
    assert chosen["basis"] == "unmeasured-speed"
    assert (out / "selected" / "arm64").resolve() == (out / chosen["path"]).resolve()


def test_again_everything_comes_from_the_cache(
    report: dict[str, Any], settled_user: User, model: Path, keyword_clips: Path
) -> None:
    again = settled_user.ok(
        "convert", model, "--target", "arm64", "--data", keyword_clips, "--out", "again", "--json", "--offline"
    ).json
    assert {stage["cache"] for stage in again["stages"] if stage["status"] == "ok"} == {"hit"}
    assert [each["digest"] for each in again["artifacts"]] == [each["digest"] for each in report["artifacts"]]


def test_the_label_of_a_clip_is_the_same_from_wav_to_arm64(
    report: dict[str, Any], settled_user: User, model: Path, keyword_clips: Path
) -> None:
    """End to end: the WAV through the preprocessing that was cut off, through the emulated artefact."""
    clips = [min((keyword_clips / name).glob("*.wav")) for name in ("go", "left", "stop")]
    for clip in clips:
        original = settled_user.ok("run", model, "--input", clip, "--json").json
        artefact = settled_user.ok("run", settled_user.folder / "ds/selected/arm64", "--input", clip, "--json").json
        assert artefact["ran_on"] == "qemu-aarch64"
        assert artefact["results"][0]["label"] == original["results"][0]["label"]


def test_compare_agrees_with_the_artefact_and_not_with_another_net(
    report: dict[str, Any], settled_user: User, model: Path
) -> None:
    good = settled_user.dlpipe("compare", model, "ds/artifacts/arm64/onnxruntime-fp32", "--json")
    assert good.code == 0, good.err
    other = settled_user.dlpipe("compare", model, model.with_name("DNN_S.pb"), "--json")
    assert other.code in (2, 3), other.out


def test_lineage_explain_and_report_speak_of_the_run(report: dict[str, Any], settled_user: User) -> None:
    assert "DecodeWav" in settled_user.ok("report", "ds", "--format", "md").out
    assert "<testsuite" in settled_user.ok("report", report["run"], "--format", "junit").out
    stages = settled_user.ok("explain", "ds", "--json").json
    assert {"import", "simplify"} <= {each["stage"] for each in stages}
    chain = settled_user.ok("lineage", "ds/selected/arm64", "--json").json
    assert set(chain["sources"].values()) >= {"model"}


@pytest.mark.parametrize("name", ["DS_CNN_M", "Basic_LSTM_S"])
def test_the_other_nets_convert_too(settled_user: User, model: Path, name: str) -> None:
    found = settled_user.ok(
        "convert", model.with_name(f"{name}.pb"), "-t", "arm64", "--precision", "fp32", "-o", name, "--json"
    ).json
    imported = next(stage for stage in found["stages"] if stage["id"] == "import")
    assert imported["fidelity"]["max_rel"] <= 1e-4
    assert {each["backend"] for each in artifacts(found, variant="fp32", verdict="passed")} == BACKENDS


def test_an_accuracy_limit_without_labels_is_refused_before_anything_is_built(settled_user: User, model: Path) -> None:
    told = settled_user.dlpipe("convert", model, "-t", "arm64", "--max-accuracy-drop", "1%", "-o", "never")
    assert (told.code, "no labelled data was given" in told.err) == (3, True), told.err
    assert "compile:" not in told.err
    assert not (settled_user.folder / "never").exists()


def test_where_nothing_can_be_compiled_no_time_is_spent_on_the_model(settled_user: User, model: Path) -> None:
    told = settled_user.dlpipe("convert", model, "-t", "x86-64", "-b", "vela", "-o", "never")
    assert (told.code, "pre-flight rules out everything for x86-64" in told.err) == (3, True), told.err
    assert "done import" not in told.err
    assert not (settled_user.folder / "never").exists()


def test_a_limit_that_int8_breaks(settled_user: User, model: Path, keyword_clips: Path) -> None:
    """Asked for by name it is the run's failure; with auto the next best is chosen."""
    net = model.with_name("LSTM_S.pb")
    common = ("-t", "arm64", "-b", "onnxruntime", "--data", keyword_clips, "--max-accuracy-drop", "0.1%", "--json")
    named = settled_user.dlpipe("convert", net, "--precision", "int8", "-o", "named", *common)
    drop = next(stage for stage in named.json["stages"] if stage["id"].startswith("int8"))["accuracy"]["drop"]
    if drop <= 0.1:
        net = model
        named = settled_user.dlpipe("convert", net, "--precision", "int8", "-o", "named", *common)
    assert named.code == 3, named.out
    gate = next(gate for gate in named.json["gates"] if gate["name"] == "max-accuracy-drop" and not gate["passed"])
    assert gate["n"]
    assert gate["samples_needed"] > gate["n"]
    for word in ("int8", str(gate["n"]), f"{gate['samples_needed']:,}"):
        assert word in named.err
    auto = settled_user.ok("convert", net, "-o", "auto", *common)
    assert auto.json["selected"]["arm64"]["variant"] != "int8"

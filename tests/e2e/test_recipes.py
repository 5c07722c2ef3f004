"""`dlpipe recipe`, and `convert --recipe`: a variant is what a recipe makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.user import User

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_a_recipe_is_shown_as_the_file_that_it_is_and_a_copy_of_it_works(settled_user: User, shared: Path) -> None:
    text = settled_user.ok("recipe", "show", "int8").out
    file = settled_user.folder / "mine.toml"
    file.write_text(text.replace('name = "int8"', 'name = "mine"'))
    listed = {each["name"] for each in settled_user.ok("recipe", "list", "--json").json}
    assert {"fp16", "int8", "fast", "smallest", "npu-int8", "fpga-lowbit", "llm-int4"} <= listed
    model = shared / "models" / "caffe_lenet" / "lenet.prototxt"
    report = settled_user.ok(
        "convert", model, "-t", "x86-64", "-b", "onnxruntime", "--recipe", file, "--recipe", "int4", "--recipe", "fp32",
        "--out", "own", "--json", "--yes",
    ).json  # fmt: skip
    made = {each["variant"]: each for each in report["artifacts"]}
    assert list(made) == ["mine", "int4", "fp32"]
    assert {each["verdict"] for each in made.values()} == {"passed"}
    assert made["mine"]["size_bytes"] < 0.3 * made["fp32"]["size_bytes"]
    assert made["int4"]["size_bytes"] < made["mine"]["size_bytes"]
    assert (settled_user.folder / "own" / made["mine"]["path"]).is_dir()
    ids = {stage["id"] for stage in report["stages"]}
    assert "int4" in ids
    assert any(name.startswith("mine-u8") for name in ids)


def test_what_a_backend_cannot_read_is_told_before_any_work(settled_user: User, shared: Path) -> None:
    model = shared / "models" / "caffe_lenet" / "lenet.prototxt"
    for options, says in (
        (("--recipe", "int8", "--precision", "int8"), "exclude each other"),
        (("--recipe", "int4", "-b", "ncnn"), "no int4 can be made for arm64: ncnn makes fp32"),
        (("--recipe", "fp16", "-b", "ncnn"), "makes fp16"),
        (("--recipe", "missing.toml"), "cannot be read"),
        (("--recipe", "smal"), "smallest"),
    ):
        done = settled_user.dlpipe("convert", model, "-t", "arm64", "--out", "never", *options)
        assert (done.code, says in done.err) == (2, True), done.err
    assert not (settled_user.folder / "never").exists()


def test_the_plan_names_the_recipes(settled_user: User, shared: Path) -> None:
    model = shared / "models" / "caffe_lenet" / "lenet.prototxt"
    plan = settled_user.ok("plan", model, "-t", "x86-64").out
    assert "fp32, fp16, int8" in plan
    assert "int4" not in plan


def test_a_recipe_that_trains_ends_in_an_artefact_and_the_report_says_what_saw_which_data(
    settled_user: User, shared: Path, digits: Path
) -> None:
    (settled_user.folder / "quick.toml").write_text(
        """
        name = "quick"
        summary = "a few steps of training, for the test"
        precision = "int8"
        tolerance = "retrained"

        [[steps]]
        pass = "prune-channels"
        params.macs = 0.6

        [[steps]]
        pass = "fine-tune"
        params.steps = 60

        [[steps]]
        pass = "quantize-int8"
        """
    )
    report = settled_user.ok(
        "convert", shared / "models" / "caffe_lenet" / "lenet.prototxt", "--data", digits, "--recipe", "quick.toml",
        "-t", "x86-64", "-b", "onnxruntime", "--out", "trained", "--json", "--yes",
    ).json  # fmt: skip
    [artifact] = report["artifacts"]
    assert artifact["verdict"] == "passed", artifact
    assert artifact["accuracy"]["n"] == report["samples"]["count"]
    assert any("trained and calibrated on 7,000 of the same data" in note["message"] for note in report["notes"])
    made = [stage["id"] for stage in report["stages"] if stage["id"].startswith("quick")]
    assert made[0].endswith(":1-prune-channels")
    assert "training" not in {Path(name).parts[0] for name in artifact["files"]}

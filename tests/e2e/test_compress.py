"""`dlpipe compress`: from a goal to a smaller model, on a real net with its real data."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dlpipe.pipeline.request import SEED
from tests.e2e.user import User, kill_within, make_user

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def lenet(shared: Path) -> Path:
    return shared / "models" / "caffe_lenet" / "lenet.prototxt"


def test_a_recipe_makes_the_model_smaller_and_says_what_it_costs(settled_user: User, lenet: Path, digits: Path) -> None:
    done = settled_user.ok("compress", lenet, "--data", digits, "--recipe", "int8", "-o", "int8.onnx", "--json")
    report = done.json
    assert report["schema"] == "dlpipe.compress/1"
    written = settled_user.folder / "int8.onnx"
    assert report["path"] == "int8.onnx"
    assert (settled_user.folder / "int8.report.json").read_text() == done.out
    assert written.stat().st_size == report["chosen"]["figures"]["cost"]["size"]["value"]
    assert written.stat().st_size < 0.3 * report["base"]["cost"]["size"]["value"]
    final = report["chosen"]["figures"]["accuracy"]
    assert final["value"] > 0.985
    assert final["drop"] <= 0.5
    parts = {part["use"]: part["count"] for part in report["parts"]}
    assert parts == {"rank": 2000, "final": 8000}
    assert final["n"] == 8000
    assert report["tried"][0]["steps"][0]["pass"] == "quantize-int8"
    compared = settled_user.dlpipe("compare", lenet, written, "--data", digits, "--json").json
    assert compared["accuracy"]["drop"] <= 0.5
    for run in (report["run"], "int8.onnx", "int8.report.json"):
        assert settled_user.ok("report", run, "--format", "json").json == report
    assert "int8: the" in settled_user.ok("report", "int8.onnx").out
    assert "<html" in settled_user.ok("report", report["run"], "-f", "html").out
    assert "not rendered as 'junit'" in settled_user.dlpipe("report", "int8.onnx", "-f", "junit").err
    origin = settled_user.ok("lineage", "int8.onnx", "--json").json
    assert origin["artifact"]["digest"] == report["chosen"]["digest"]
    assert {"model", "data"} <= set(origin["sources"].values())
    assert "quantize-int8" in {each["parameters"].get("pass") for each in origin["stages"]}
    written.write_bytes(written.read_bytes() + b"\0")
    assert "speaks of another model" in settled_user.dlpipe("lineage", "int8.onnx").err


def test_a_limit_that_nothing_keeps_ends_with_3_and_writes_nothing(
    settled_user: User, lenet: Path, digits: Path
) -> None:
    done = settled_user.dlpipe(
        "compress", lenet, "--data", digits, "--recipe", "fp16", "--max-size", "10kB", "-o", "never.onnx"
    )
    assert done.code == 3
    assert "none of 1 candidates keeps the limits" in done.err
    assert "max-size" in done.err
    assert not list(settled_user.folder.glob("never*"))


def test_a_recipe_by_name_that_keeps_the_limit_only_where_it_was_ranked_ends_with_3(
    settled_user: User, lenet: Path, digits: Path
) -> None:
    (settled_user.folder / "rough.toml").write_text(  # nothing is trained, so much is lost
        'name = "rough"\nsummary = "s"\nprecision = "fp32"\n[[steps]]\npass = "prune-channels"\nparams.macs = 0.3\n'
    )
    with np.load(digits) as archive:
        x, y = archive["x"][:400], archive["y"][:400]
    np.savez(settled_user.folder / "few.npz", x=x, y=y)
    command = ("compress", lenet, "--data", "few.npz", "--recipe", "rough.toml", "--json", "-o")
    settled_user.ok(*command, "rough.onnx", "--max-accuracy-drop", "100%")
    settled_user.ok("run", "rough.onnx", "--input", "few.npz", "-o", "answers.npz")
    with np.load(settled_user.folder / "answers.npz") as archive:
        right = next(iter(archive.values())).reshape(400, -1).argmax(axis=1) == y
    places = np.random.default_rng(SEED).permutation(400)  # a fifth of which is ranked on
    order = np.argsort(~right, kind="stable")
    x[places], y[places] = x[order], y[order]
    np.savez(settled_user.folder / "few.npz", x=x, y=y)
    done = settled_user.dlpipe(*command, "never.onnx", "--max-accuracy-drop", "0.1%")
    assert (done.code, done.json["tried"][0]["verdict"]) == (3, "meets"), done.err
    assert "none of 1 candidates keeps the limits; rough: top-1 drop" in done.err
    assert not list(settled_user.folder.glob("never*"))


def test_a_recipe_that_is_wrong_and_a_limit_without_labels_write_nothing(settled_user: User, lenet: Path) -> None:
    (settled_user.folder / "all.toml").write_text(
        'name = "all"\nsummary = "s"\nprecision = "fp32"\n[[steps]]\npass = "prune-channels"\nparams.macs = -1\n'
    )
    done = settled_user.dlpipe("compress", lenet, "--recipe", "all.toml", "-o", "never.onnx")
    assert (done.code, "macs of the pass prune-channels takes 0 to 1, not -1" in done.err) == (2, True), done.err
    told = settled_user.dlpipe("compress", lenet, "--max-accuracy-drop", "1%", "-o", "never.onnx")
    assert (told.code, "--max-accuracy-drop cannot be evaluated" in told.err) == (3, True), told.err
    assert not list(settled_user.folder.glob("never*"))


def test_a_candidate_that_departs_is_named_with_its_node(settled_user: User, lenet: Path) -> None:
    (settled_user.folder / "strict.toml").write_text(
        'name = "strict"\nsummary = "s"\nprecision = "fp32"\n[[steps]]\npass = "quantize-int8"\n'
    )
    done = settled_user.dlpipe("compress", lenet, "--recipe", "strict.toml", "-o", "never.onnx", "--json")
    (tried,) = done.json["tried"]
    assert (done.code, tried["verdict"], tried["departs_at"]["verdict"]) == (3, "breaks", "node")
    assert f"the first node that departs is {tried['departs_at']['node']} (" in tried["reason"]
    assert tried["reason"] in done.err
    *_, a, b = tried["departs_at"]["command"].split()
    again = settled_user.dlpipe("bisect", a, b, "--precision", "fp32", "--json")
    assert (again.code, again.json["found"]["first"]["node"]) == (3, tried["departs_at"]["node"])


def test_to_keep_a_limit_that_the_model_breaks_is_a_gain_even_where_it_is_slower(
    settled_user: User, lenet: Path, digits: Path
) -> None:
    report = settled_user.ok(
        "compress", lenet, "--data", digits, "--recipe", "mixed", "-t", "x86-64", "--minimise", "latency",
        "--max-size", "1MB", "--max-latency", "1s", "-o", "half.onnx", "--json",
    ).json  # fmt: skip
    assert report["chosen"]["number"] == 1
    assert (settled_user.folder / "half.onnx").stat().st_size < 1_000_000
    assert report["base"]["cost"]["latency_p50"]["value"] < 1000


def test_layers_are_taken_back_where_a_backend_compiles_them(settled_user: User, lenet: Path, digits: Path) -> None:
    """ONNX Runtime computes fp16 in float32 here, and casts before and behind."""
    with np.load(digits) as archive:
        np.savez(settled_user.folder / "some.npz", x=archive["x"][:400], y=archive["y"][:400])
    report = settled_user.ok(
        "compress", lenet, "--data", "some.npz", "--recipe", "fp16", "-t", "x86-64", "--backend", "onnxruntime",
        "--minimise", "latency", "-o", "layers.onnx", "--json",
    ).json  # fmt: skip
    assert re.search("no layer of fp16 alone|takes fp16 back in", report["ended"]), report["ended"]


def test_what_cannot_be_done_is_told_before_any_work(settled_user: User, lenet: Path) -> None:
    for options, code, says in (
        (("--recipe", "int9"), 2, "int8"),
        (("--minimise", "watts"), 2, "latency or size"),
        (("--target", "android-arm64", "--max-latency", "5ms"), 3, "cannot be evaluated"),
        (("--budget", "soon"), 2, "not a time"),
        (("--train-data", "digits.npz"), 2, "goes with --data"),
        (("--gate-confidence", "99%"), 2, "only 95%"),
    ):
        done = settled_user.dlpipe("compress", lenet, "-o", "never.onnx", *options)
        assert (done.code, says in done.err) == (code, True), done.err
    assert settled_user.dlpipe("compress", lenet, "-o", "missing/x.onnx", "--recipe", "int8").code == 2


def test_a_goal_is_searched_for_and_told_on_data_the_search_never_saw(
    settled_user: User, lenet: Path, digits: Path
) -> None:
    done = settled_user.ok(
        "compress", lenet, "--data", digits, "-t", "android-arm64", "--max-size", "500kB", "--trials", 4,
        "-o", "goal.onnx", "--json",
    )  # fmt: skip
    report = done.json
    assert report["minimised"] == "size"
    assert {part["use"]: part["count"] for part in report["parts"]} == {"rank": 5000, "final": 5000}
    assert len(report["tried"]) == 4
    chosen = next(each for each in report["tried"] if each["number"] == report["chosen"]["number"])
    meets = [each for each in report["tried"] if each["verdict"] == "meets"]
    assert chosen["figures"]["cost"]["size"]["value"] == min(each["figures"]["cost"]["size"]["value"] for each in meets)
    assert (settled_user.folder / "goal.onnx").stat().st_size <= 500_000
    assert report["chosen"]["figures"]["accuracy"]["n"] == 5000
    assert "not this machine" in chosen["figures"]["speedup_reason"]
    assert "<svg" in (settled_user.folder / "goal.report.html").read_text()


def test_a_killed_search_goes_on_and_a_finished_one_is_answered_at_once(
    shared: Path, digits: Path, lenet: Path, tmp_path: Path
) -> None:
    del shared
    victim = make_user(tmp_path / "victim")
    args = ("compress", lenet, "--data", digits, "-o", "small.onnx", "--trials", 5, "--json")
    for seconds in (8.0, 14.0):
        kill_within(victim, args, seconds)
        assert not (victim.folder / "small.onnx").exists() or (victim.folder / "small.report.html").exists()
    report = victim.ok(*args).json
    again = victim.ok(*args).json
    changing = ("run", "created", "seconds")
    assert {key: value for key, value in again.items() if key not in changing} == {
        key: value for key, value in report.items() if key not in changing
    }
    text = (victim.cache / "runs" / again["run"] / "events.jsonl").read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert any(each["event"] == "StageFinished" for each in events)
    refused = {each["stage"] for each in events if each.get("status") == "failed"}  # asked anew: no failure is kept
    assert {each["stage"] for each in events if each["event"] == "StageStarted"} <= refused


def test_a_recipe_that_trains_takes_a_part_of_the_data_for_it(settled_user: User, lenet: Path, digits: Path) -> None:
    (settled_user.folder / "pruned.toml").write_text(
        """
        name = "pruned"
        summary = "a few steps of training, for the test"
        precision = "fp32"
        tolerance = "retrained"

        [[steps]]
        pass = "prune-channels"
        params.macs = 0.6

        [[steps]]
        pass = "fine-tune"
        params.steps = 60
        """
    )
    report = settled_user.ok(
        "compress", lenet, "--data", digits, "--recipe", "pruned.toml", "--max-accuracy-drop", "3%",
        "-o", "pruned.onnx", "--json",
    ).json  # fmt: skip
    assert {part["use"]: part["count"] for part in report["parts"]} == {"train": 7000, "final": 3000}
    [tried] = report["tried"]
    assert [step["pass"] for step in tried["steps"]] == ["prune-channels", "fine-tune"]
    assert tried["figures"]["cost"]["macs"]["value"] < 0.7 * report["base"]["cost"]["macs"]["value"]
    assert report["chosen"]["number"] == 1
    assert report["chosen"]["figures"]["accuracy"]["n"] == 3000
    refused = settled_user.dlpipe("compress", lenet, "--recipe", "pruned.toml", "-o", "never.onnx")
    assert (refused.code, "--train-data" in refused.err) == (2, True)

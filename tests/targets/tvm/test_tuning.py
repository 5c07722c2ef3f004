"""A search for faster loops: what it finds is kept by operator, and a compile takes it over."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np
import pytest

from dlpipe.contracts.tuning import Tunable
from dlpipe.targets.registry import backend, target

TVM = backend("tvm")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine"),
]
HERE = target("x86-64")


def round_(work, ir: Path, known: dict, folder: Path, *, seconds: float, budget: float) -> tuple[dict, bool]:
    folder.mkdir()
    (folder / "records.json").write_text(json.dumps(known))
    call = TVM.tune_call(HERE, "fp32", budget=budget, seconds=seconds)
    out, value = work(call, {"ir": ir, "records": folder}, number=1, model=str(ir))
    return json.loads((out / "records.json").read_text()), value["finished"]


def test_a_search_a_compile_and_a_second_search_that_has_nothing_to_do(work, made, fingerprint, tmp_path):
    ir = made("convolutions").ir
    assert isinstance(TVM, Tunable)
    _, operators = work(TVM.workloads_call(HERE, "fp32"), {"ir": ir})
    assert sum(each["count"] for each in operators.values()) >= 5

    found, finished = round_(work, ir, {}, tmp_path / "none", seconds=8, budget=8)
    assert set(found) <= set(operators)
    assert all(entry["rule_seconds"] > 0 for entry in found.values())
    tried = {key: entry for key, entry in found.items() if "tried" in entry}
    assert tried
    for entry in tried.values():
        seconds = [each[0] for each in entry["found"]]
        assert seconds == sorted(seconds)
        assert entry["spent"] > 0
        assert 0 < entry["ratio"] < 1e3
        assert entry["chosen"] in [trace for _, trace in entry["found"]]

    # With all of them taken, faster or not, the model computes what it did.
    (tmp_path / "chosen").mkdir()
    chosen = {key: entry["chosen"] for key, entry in tried.items()}
    (tmp_path / "chosen" / "chosen.json").write_text(json.dumps(chosen))
    call, inputs = TVM.compile_call(HERE, "fp32"), {"ir": ir, "records": tmp_path / "chosen"}
    artifact, value = work(call, inputs)
    assert value["tuned"] is True
    assert any(note.startswith(f"tuned: {len(chosen)} of ") for note in work.notes)
    again, _ = work(call, inputs)
    assert fingerprint(artifact) == fingerprint(again)
    samples = {"artifact": artifact, "samples": made("convolutions").samples}
    outputs, _ = work(TVM.run_call(HERE, "fp32"), samples)
    with np.load(outputs / "outputs.npz") as one, np.load(made("convolutions").reference) as other:
        assert np.abs(one["y"] - other["y"]).max() <= 1e-5

    # Another model with these operators has had its share.
    spent = {key: {**found[key], "spent": 100.0} for key in found}
    more, finished = round_(work, ir, spent, tmp_path / "all", seconds=8, budget=8)
    assert (more, finished) == ({}, True)


def test_a_trace_of_something_else_changes_nothing(work, made, tmp_path):
    ir = made("convolutions").ir
    _, operators = work(TVM.workloads_call(HERE, "fp32"), {"ir": ir})
    (tmp_path / "chosen").mkdir()
    nonsense = [[["GetSBlock", [], ["no such block", "main"], ["b0"]]], []]
    (tmp_path / "chosen" / "chosen.json").write_text(json.dumps(dict.fromkeys(operators, nonsense)))
    _, value = work(TVM.compile_call(HERE, "fp32"), {"ir": ir, "records": tmp_path / "chosen"})
    assert value["tuned"] is False
    assert any(note.startswith("untuned") for note in work.notes)


def test_only_what_this_machine_runs_is_tuned():
    assert TVM.why_not_tuned(HERE) is None
    assert "needs a board" in str(TVM.why_not_tuned(target("arm64")))
    assert TVM.tuned_for(HERE) != TVM.tuned_for(target("x86-64-v3"))

"""What tuning found out is only ever added to a file, by several runs at once, of which one may be killed."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from dlpipe.pipeline.tuning.database import Records

FOR = {"tool": "tool 1.0", "llvm": {"mcpu": "x"}}


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "tuning", FOR, "a processor")


def found(seconds: float, trace: str) -> dict[str, object]:
    return {"spent": 2.0, "tried": 8, "found": [[seconds, [trace]]]}


def test_what_several_rounds_say_is_merged(records):
    records.add({"conv": {"rule_seconds": 5.0, **found(3.0, "a"), "chosen": ["a"], "ratio": 0.6}, "pool": {}})
    records.add({"conv": {"rule_seconds": 9.0, **found(2.0, "b"), "chosen": ["b"], "ratio": 0.4}})
    records.add({"conv": {**found(4.0, "c"), "chosen": ["c"], "ratio": 0.8}})
    assert records.read(["conv", "pool"]) == {
        "conv": {
            "rule_seconds": 5.0,
            "spent": 6.0,
            "tried": 24,
            "found": [[2.0, ["b"]], [3.0, ["a"]], [4.0, ["c"]]],
            "chosen": ["b"],
            "ratio": 0.4,
        }
    }


def test_each_tool_target_and_processor_has_its_own(tmp_path):
    places = {
        Records(tmp_path, tuned_for, cpu).path
        for tuned_for in (FOR, {**FOR, "llvm": {"mcpu": "y"}}, {**FOR, "tool": "tool 2.0"})
        for cpu in ("one", "another")
    }
    assert len(places) == 6


def test_a_line_that_was_not_finished_is_passed_over(records):
    records.add({"conv": found(3.0, "a")})
    with records.path.open("a") as file:
        file.write('{"workload": "conv", "spent": 1')
    records.add({"pool": found(1.0, "b")}, finished="the plan")
    assert set(records.read(["conv", "pool"])) == {"conv", "pool"}
    assert records.read(["conv"])["conv"]["spent"] == 2.0
    assert records.finished("the plan")
    assert not records.finished("another")


def _add(place: tuple[str, int]) -> None:
    folder, number = place
    for _ in range(20):
        Records(Path(folder), FOR, "a processor").add({f"conv{number}": found(number, "a"), "all": {"tried": 1}})


def test_several_runs_at_once(tmp_path):
    with ProcessPoolExecutor(4) as runs:
        list(runs.map(_add, [(str(tmp_path), number) for number in range(4)]))
    records = Records(tmp_path, FOR, "a processor")
    known = records.read([*(f"conv{number}" for number in range(4)), "all"])
    assert known["all"]["tried"] == 80
    assert {known[f"conv{number}"]["spent"] for number in range(4)} == {40.0}
    lines = records.path.read_text().splitlines()
    assert json.loads(lines[0])["cpu"] == "a processor"
    assert len(lines) < 160  # written anew on the way


def test_nothing_is_known_of_what_was_never_tuned(records):
    assert records.read(["conv"]) == {}
    assert not records.finished("the plan")

"""A metric of the user's own: what it is given, what it may give, and what is said of one that fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.measurement import Accuracy
from dlpipe.errors import UserError
from dlpipe.measure import accuracy_call, parse_metric

Ask = Callable[..., dict[str, Any]]
OWN = """
import statistics
import numpy as np

def off(outputs, labels):
    return np.abs(outputs["y"][:, 0] - labels)

def median(outputs, labels):
    return statistics.median(off(outputs, labels).tolist())

def broken(outputs, labels):
    return outputs["z"]

def too_many(outputs, labels):
    return np.zeros(3)
"""


@pytest.fixture
def ask(serve: Any, tmp_path: Path) -> Ask:
    def run(function: str, code: str = OWN, *, settings: str = "", offset: float = 0.0) -> dict[str, Any]:
        code_, labels, candidate, reference = (tmp_path / each for each in ("code", "labels", "candidate", "reference"))
        for folder in (code_, labels, candidate, reference):
            folder.mkdir(exist_ok=True)
        (code_ / "mine.py").write_text(code)
        wanted = np.arange(30.0)
        (labels / "labels.json").write_text(json.dumps({"labels": wanted.tolist(), "truth": "value"}))
        error = np.where(np.arange(30) % 3, 1.0, 2.0)
        np.savez(reference / "outputs.npz", y=(wanted + error)[:, None])
        np.savez(candidate / "outputs.npz", y=(wanted + error + offset)[:, None])
        metric = parse_metric(f"mine:{function}{settings}")
        call = accuracy_call(replace(metric, settings={"function": f"mine:{function}"}))
        return dict(serve(call, code=code_, labels=labels, candidate=candidate, reference=reference))

    return run


def test_a_number_for_each_sample(ask: Ask) -> None:
    found = Accuracy.model_validate(ask("off", settings=",better=lower,unit=s", offset=0.5)["value"])
    assert (found.metric, found.unit, found.better) == ("mine:off", "s", "lower")
    assert (found.value, found.drop, found.interval) == (pytest.approx(11 / 6), pytest.approx(0.5), "bootstrap-bca")


def test_one_number_for_all(ask: Ask) -> None:
    found = Accuracy.model_validate(ask("median", settings=",better=lower")["value"])
    assert (found.value, found.drop, found.p_value, found.ci95) == (1.0, 0.0, 1.0, (1.0, 1.0))


def test_code_that_was_changed_is_read_anew(ask: Ask) -> None:
    assert ask("median")["value"]["value"] == 1
    assert ask("median", "def median(outputs, labels):\n    return 7")["value"]["value"] == 7


@pytest.mark.parametrize(
    ("function", "code", "message"),
    [
        ("broken", OWN, "the metric mine:broken raised KeyError: 'z'"),
        ("too_many", OWN, "gave [3] numbers for 30 samples"),
        ("missing", OWN, "mine has no function missing"),
        ("off", "import nowhere_to_be_found", "cannot be imported: No module named"),
        ("off", "1 / 0", "cannot be imported: ZeroDivisionError"),
    ],
)
def test_what_fails_is_told(ask: Ask, function: str, code: str, message: str) -> None:
    event = ask(function, code)
    assert event["event"] == "failed"
    assert message in event["message"]


@pytest.mark.parametrize("text", ["mine:f,better=more", "mine:f,k=1"])
def test_settings(text: str) -> None:
    with pytest.raises(UserError):
        parse_metric(text)

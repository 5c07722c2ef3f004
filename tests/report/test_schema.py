"""report.json is what it promises: it validates, it round-trips, and its published schema is the generated one."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.json import laid_out
from dlpipe.contracts.measurement import Accuracy, Fidelity, Speedup
from dlpipe.errors import UserError
from dlpipe.report import Artifact, Gate, Report
from dlpipe.report.schema import SCHEMA_FILE

from .factory import sample_report, views


def test_the_published_schema_is_the_generated_one() -> None:
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == Report.json_schema()


def test_a_report_is_valid_against_the_published_schema() -> None:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    data = json.loads(sample_report().to_json())
    assert list(validator.iter_errors(data)) == []
    assert data["schema"] == "dlpipe.report/1"
    assert data["stages"][0]["class"] == "deterministic"
    del data["schema"]
    assert not validator.is_valid(data)


def test_it_round_trips_to_the_same_bytes(tmp_path: Path) -> None:
    report = sample_report()
    (tmp_path / "report.json").write_text(report.to_json(), encoding="utf-8")
    assert Report.read(tmp_path) == report
    assert Report.read(tmp_path / "report.json").to_json() == report.to_json()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"schema": "dlpipe.report/2"}', '{"schema": "dlpipe.report/1"}', "\xff"]
)
def test_what_is_no_report_is_a_user_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"is not a dlpipe\.report/1"):
        Report.read(tmp_path)


def test_a_missing_report_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no report at"):
        Report.read(tmp_path / "nothing")


def test_numbers_are_finite() -> None:
    with pytest.raises(ValidationError):
        Gate(name="x", subject="y", limit=float("nan"), passed=True)
    with pytest.raises(ValidationError):
        Figure(value=float("inf"), provenance="measured")


def test_what_is_missing_says_why() -> None:
    with pytest.raises(ValidationError, match="says why"):
        Fidelity(vs="original", passed=None)
    with pytest.raises(ValidationError, match="says why"):
        Speedup(baseline="original", value=None, provenance="absent")
    with pytest.raises(ValidationError, match="not both"):
        Speedup(baseline="original", value=2.0, provenance="absent", reason="x")


@pytest.mark.parametrize("place", ["native", "qemu-aarch64", "vulkan:lavapipe", "device:board-3", "none"])
def test_where_it_ran(place: str) -> None:
    artifact = sample_report().artifacts[0]
    assert Artifact.model_validate({**artifact.model_dump(), "ran_on": place}).ran_on == place
    with pytest.raises(ValidationError):
        Artifact.model_validate({**artifact.model_dump(), "ran_on": f"somewhere {place}"})


def test_the_types_are_closed() -> None:
    with pytest.raises(ValidationError):
        Report.model_validate({**sample_report().model_dump(), "surprise": 1})


def test_an_accuracy_of_before_there_were_other_metrics_is_read() -> None:
    old = {"metric": "top-1", "value": 0.75, "ci95": [0.7, 0.8], "n": 400, "drop": 0.5, "drop_ci95": [-1.0, 2.0]}
    found = Accuracy.model_validate(old)
    assert (found.unit, found.better, found.original) == ("fraction", "higher", 0.755)


def test_plain_values_share_a_line_and_nothing_else_changes() -> None:
    report = sample_report(views=views())
    text, data = report.to_json(), report.model_dump(mode="json")
    assert json.loads(text) == data
    assert list(json.loads(text)) == list(data)
    assert len(text) < 0.85 * len(json.dumps(data, indent=2, ensure_ascii=False))
    assert any('"counts": [' in line and line.rstrip(",").endswith("]") for line in text.splitlines())
    with pytest.raises(ValueError, match="JSON compliant"):
        laid_out({"figures": [float("nan")]})

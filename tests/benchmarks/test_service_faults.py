"""The benchmark of the service's faults, for half a minute: every accepted job ends once, with the right files."""

from __future__ import annotations

import json

import pytest

from benchmarks import service_faults

pytestmark = pytest.mark.slow


def test_what_was_accepted_ends_right_while_its_machinery_is_killed(capsys: pytest.CaptureFixture[str]) -> None:
    short = ["--minutes", "0.5", "--every", "6", "--models", "1", "--open", "2", "--workers", "1", "--seed", "3"]
    code = service_faults.main(short)
    found = json.loads(capsys.readouterr().out)
    assert (code, found["faults"]) == (0, [])
    assert found["accepted"] == found["right"] > 0
    assert sum(found["killed"].values()) > 0

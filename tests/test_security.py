"""SECURITY.md's table of the service names tests, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def rows(repo_root: Path) -> list[list[str]]:
    """Of the table that has a column of tests."""
    lines = (repo_root / "SECURITY.md").read_text(encoding="utf-8").splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("| threat |") and "| test |" in line)
    found = []
    for line in lines[head + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_each_threat_names_tests_that_are_there(repo_root: Path) -> None:
    found = rows(repo_root)
    assert len(found) > 25
    for threat, _, tests, _ in found:
        places = re.findall(r"`((?:[\w/]+/)?test_\w+\.py|tests/[\w/]+/)`((?:: `\w+`(?:, `\w+`)*)?)", tests)
        assert places, threat
        for place, names in places:
            path = repo_root / place if place.startswith("tests/") else repo_root / "tests" / "service" / place
            assert path.exists(), (threat, place)
            for name in re.findall(r"`(\w+)`", names):
                if re.search(rf"def test_\w*{name}", path.read_text(encoding="utf-8")) is None:
                    pytest.fail(f"{threat}: no test of {place} is called {name}")

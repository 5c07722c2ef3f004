"""What other programs take of the CPUs is told from what this process takes itself."""

from __future__ import annotations

import os

import pytest

from dlpipe.pipeline import crowd


def test_our_own_work_is_not_that_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([10.0, 12.0])
    monkeypatch.setattr(crowd, "monotonic", lambda: next(seconds))  # the threads of other tests have the real one
    states = iter([({0: 5.0, 1: 7.0}, 3.0), ({0: 7.0, 1: 8.0}, 4.0)])  # busy for 3 of 4 s, 1 of them ours
    monkeypatch.setattr(crowd, "_now", lambda: next(states))
    assert crowd.Crowd().share() == pytest.approx(0.5)


def test_what_is_not_known_is_absent_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "busy_seconds", lambda: None)
    share = crowd.Crowd().share()
    assert share is None
    assert crowd.figure(share).reason == "this system does not tell what its CPUs did"


@pytest.mark.skipif(not os.path.exists("/proc/stat"), reason="not run: needs Linux's /proc")
def test_it_is_a_share_on_a_real_system() -> None:
    watched = crowd.Crowd()
    sum(range(300_000))
    share = watched.share()
    assert share is not None
    assert 0 <= share <= 1

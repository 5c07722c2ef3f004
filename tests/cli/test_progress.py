"""What a run says of itself where it is no terminal: a line per stage."""

from __future__ import annotations

import pytest

from dlpipe.cli.progress import Progress
from dlpipe.pipeline.events import StageFinished, StageNote


def test_a_stage_that_failed_is_said_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        told = {"kind": "pass", "cache": "miss", "seconds": 1.5}
        progress(StageFinished(stage="int8", status="failed", reason="nothing to quantise\nmore", **told))
        progress(StageFinished(stage="fp16", status="ok", **told))
    failed, done = capsys.readouterr().err.splitlines()
    assert failed.split(maxsplit=4) == ["FAIL", "int8", "1.5", "s", "nothing to quantise"]
    assert done.split() == ["done", "fp16", "1.5", "s"]


def test_a_line_holds_no_more_of_a_digest_than_fits(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        stage = f"start:{'0123456789abcdef' * 4}"
        progress(StageFinished(stage=stage, kind="timing", cache="miss", seconds=14.1, status="ok"))
    assert capsys.readouterr().err.split() == ["done", "start:0123456789ab", "14.1", "s"]


def test_what_many_stages_warn_of_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        for stage, message in (("way0", "it saturates"), ("way1", "it saturates"), ("way1", "another")):
            progress(StageNote(stage=stage, level="warning", message=message))
    assert capsys.readouterr().err.splitlines() == [
        "  warning: it saturates [way0]",
        "  warning: another [way1]",
    ]
    with Progress(verbose=True) as all_of_it:
        for stage in ("way0", "way1"):
            all_of_it(StageNote(stage=stage, level="warning", message="it saturates"))
    assert len(capsys.readouterr().err.splitlines()) == 2

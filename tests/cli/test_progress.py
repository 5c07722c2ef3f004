"""What a run says of itself where it is no terminal: a line per stage."""

from __future__ import annotations

import pytest

from dlpipe.cli.progress import Progress
from dlpipe.pipeline.events import StageFinished


def test_a_stage_that_failed_is_said_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        told = {"kind": "pass", "cache": "miss", "seconds": 1.5}
        progress(StageFinished(stage="int8", status="failed", reason="nothing to quantise\nmore", **told))
        progress(StageFinished(stage="fp16", status="ok", **told))
    failed, done = capsys.readouterr().err.splitlines()
    assert failed.split(maxsplit=4) == ["FAIL", "int8", "1.5", "s", "nothing to quantise"]
    assert done.split() == ["done", "fp16", "1.5", "s"]

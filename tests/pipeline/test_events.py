"""The stream of events."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import pytest

from dlpipe.pipeline.events import Event, EventBus, JsonLines, StageFinished, StageNote, StageProgress, StageStarted


def test_listeners_hear_everything_in_order() -> None:
    bus, heard, also = EventBus(), list[Event](), list[Event]()
    bus.subscribe(heard.append)
    bus.subscribe(also.append)
    events = [StageStarted(stage="r", kind="run"), StageProgress(stage="s", message="m", fraction=0.5)]
    for event in events:
        bus.emit(event)
    assert heard == also == events


def test_a_listener_that_fails_breaks_nothing_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    bus, heard = EventBus(), list[Event]()

    def failing(_: Event) -> None:
        raise RuntimeError("a full disk")

    bus.subscribe(failing)
    bus.subscribe(heard.append)
    with caplog.at_level(logging.WARNING):
        bus.emit(StageStarted(stage="1", kind="run"))
        bus.emit(StageStarted(stage="2", kind="run"))
    assert len(heard) == 2
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info is not None


def test_events_of_many_threads_do_not_mix(tmp_path: Path) -> None:
    bus = EventBus()
    with JsonLines(tmp_path / "run" / "events.jsonl") as lines:
        bus.subscribe(lines)

        def emit(number: int) -> None:
            for step in range(50):
                bus.emit(StageProgress(stage=f"s{number}", message=f"{step}" * 100))

        threads = [threading.Thread(target=emit, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert len(found) == 200
    for number in range(4):
        own = [each["message"] for each in found if each["stage"] == f"s{number}"]
        assert own == [f"{step}" * 100 for step in range(50)]


def test_a_line_says_what_and_when(tmp_path: Path) -> None:
    with JsonLines(tmp_path / "events.jsonl") as lines:
        lines(StageNote(stage="fuse", level="warning", message="naïve 模型", where={"path": tmp_path}))
        lines(StageFinished(stage="fuse", kind="pass", cache="hit", seconds=0.1, status="ok"))
    first, second = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text("utf-8").splitlines()]
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "event": "StageNote",
        "stage": "fuse",
        "level": "warning",
        "message": "naïve 模型",
        "where": {"path": str(tmp_path)},
    }
    assert (second["event"], second["cache"], second["status"]) == ("StageFinished", "hit", "ok")
    lines(StageStarted(stage="after the end", kind="run"))  # is not written, and not an error
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 2

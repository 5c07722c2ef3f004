"""`--log-format json`: every line of the server and of its worker is an object, and none tells a secret."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlpipe.service.loglines import EVERY_SECONDS, JsonLines, Seldom
from tests.e2e.user import make_user

from .running import ADMINISTRATOR, Service, eventually


def lines(log: Path) -> list[dict[str, Any]]:
    """Of those that are whole."""
    return [json.loads(line) for line in log.read_text().split("\n")[:-1]]


def test_strangers_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    logger = logging.getLogger("test of seldom")
    logger.addFilter(Seldom(lambda: now))
    for _ in range(1000):
        logger.warning("Invalid HTTP request received.")
        logger.error("an error is always told")
    now = EVERY_SECONDS
    logger.warning("Invalid HTTP request received.")
    warnings = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    again = "Invalid HTTP request received. [999 times more since this was said last]"
    assert warnings == ["Invalid HTTP request received.", again]
    assert len(caplog.records) == 1002


def test_every_line_is_an_object(tmp_path: Path) -> None:
    user = make_user(tmp_path)
    service = Service(user, tmp_path / "data")
    log = tmp_path / "log"
    command = [sys.executable, "-m", "dlpipe", "serve", "--port", "0", "--log-format", "json"]
    with log.open("w") as file:
        environment = user.environment({"DLPIPE_DATA_DIR": str(service.data), "DLPIPE_TOKEN": ADMINISTRATOR})
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=file)
    try:
        said = lambda word: [each for each in lines(log) if word in each["message"]]  # noqa: E731
        eventually(lambda: process.poll() is not None or said("serving on"))
        service.port = int(said("serving on")[0]["message"].split(",")[0].rpartition(":")[2])
        job = service.submit().json["id"]
        eventually(lambda: service.ask("GET", f"/jobs/{job}").json["state"] == "failed")
        eventually(lambda: len(said(job)) > 1)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    begun, *_ = about = [each for each in lines(log) if each.get("job") == job]
    assert about == [each for each in lines(log) if job in each["message"]]
    assert (begun["level"], begun["attempt"], begun["team"]) == ("info", 1, 1)
    assert all({"time", "level", "logger", "message"} <= each.keys() for each in lines(log))


def test_no_secret_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLPIPE_TOKEN", "token-of-a-test")
    monkeypatch.setenv("DLPIPE_DATABASE", "postgresql://user:pass%2Fword@host/name")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-of-a-test")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x=yes,api-key=secret%2Fof-a-test")
    try:
        raise ValueError("key-of-a-test")
    except ValueError:
        fault = sys.exc_info()
    saying = "%s, pass/word, pass%%2Fword, secret/of-a-test, yes"
    record = logging.LogRecord("x", logging.ERROR, "", 1, saying, ("token-of-a-test",), fault)
    text = JsonLines().format(record)
    told = json.loads(text)
    assert told["message"] == "***, ***, ***, ***, yes"
    assert told["exception"].endswith("ValueError: ***")
    assert not [word for word in ("token-of", "key-of", "word") if word in text]


def test_another_format_is_refused(tmp_path: Path) -> None:
    refused = make_user(tmp_path).dlpipe(
        "serve", "--log-format", "xml", env={"DLPIPE_DATA_DIR": str(tmp_path / "data")}
    )
    assert (refused.code, "neither text nor json" in refused.err) == (2, True)

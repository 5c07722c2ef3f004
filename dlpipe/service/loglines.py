"""The log of `dlpipe serve` and `dlpipe worker`: as people read it, or a JSON object on each line."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import unquote, urlsplit

from dlpipe.service.places import DATABASE
from dlpipe.service.tracing import spans

LogFormat = Literal["text", "json"]
EVERY_SECONDS = 60.0
_SECRETS = ("DLPIPE_TOKEN", "DLPIPE_OIDC_SECRET", "RAY_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_SHORTEST_KEY = 8  # of a collector: other headers hold words such as `true`
_FIELDS = ("job", "team", "attempt")  # what a line may carry besides, by `extra`


def log_to_stderr(kind: LogFormat = "text") -> None:
    shown = logging.Formatter("%(asctime)s %(levelname)s %(message)s", datefmt="%FT%T%z")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if kind == "json" else shown)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(Seldom())


class Seldom(logging.Filter):
    """Each warning once in EVERY_SECONDS, with how often it was left out since: uvicorn's tell of strangers' requests
    that are none, and of those it has no place for, one line each, which would fill a disk. clock: for tests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._told: dict[str, tuple[float, int]] = {}  # message -> when, how often it was left out since

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        text, now = str(record.msg), self._clock()
        then, left_out = self._told.get(text, (float("-inf"), 0))
        if now - then < EVERY_SECONDS:
            self._told[text] = (then, left_out + 1)
            return False
        self._told[text] = (now, 0)
        if left_out:
            record.msg = f"{text} [{left_out} times more since this was said last]"
        return True


class JsonLines(logging.Formatter):
    """`time` (UTC), `level`, `logger`, `message`, `exception`; `job`, `team` (its number) and `attempt` where the line
    is about one; `trace_id` and `span_id` where there is a span. No secret of this process's
    environment: a library may have put one into what it says."""

    def __init__(self) -> None:
        super().__init__()
        found = [os.environ.get(name) for name in _SECRETS]
        headers = ",".join(os.environ.get(name, "") for name in spans.KEYS).split(",")
        for value in (each.partition("=")[2].strip() for each in headers):
            found += [value, unquote(value)] if len(value) >= _SHORTEST_KEY else []
        password = urlsplit(os.environ.get(DATABASE, "")).password
        found += [password, unquote(password)] if password else []
        self._secrets = sorted({each for each in found if each}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._without_secrets(record.getMessage()),
        }
        line |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)} | spans.ids()
        if record.exc_info:
            line["exception"] = self._without_secrets(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

"""Chromium driven over its debugging pipe: keys are pressed as a user presses them. No network port, no library."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class Page:
    """One page of one browser. Chromium reads messages on its file 3 and writes them on its file 4, each ended by a
    zero byte."""

    def __init__(self, to: int, of: int) -> None:
        self._to, self._of = to, os.fdopen(of, "rb", buffering=0)
        self._number, self._rest = 0, b""
        self._session: str | None = None

    def open(self, file: Path) -> None:
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")
        self.send("Page.navigate", url=file.as_uri())
        self._await(lambda message: message.get("method") == "Page.loadEventFired")

    def send(self, method: str, **params: Any) -> Json:
        self._number += 1
        number = self._number
        message: Json = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        answer = self._await(lambda each: each.get("id") == number)
        assert "error" not in answer, answer
        found: Json = answer["result"]
        return found

    def _await(self, wanted: Any) -> Json:
        while True:
            while b"\0" not in self._rest:
                read = self._of.read(65536)
                assert read, "the browser has ended"
                self._rest += read
            line, _, self._rest = self._rest.partition(b"\0")
            message: Json = json.loads(line)
            if wanted(message):
                return message

    def close(self) -> None:
        os.close(self._to)
        self._of.close()

    def press(self, key: str, *, code: int) -> None:
        """code: the virtual key's: Tab 9, Enter 13, ArrowRight 39."""
        named = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **named, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **named)

    def value(self, expression: str) -> Any:
        return self.send("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")


@contextmanager
def browser(program: str, flags: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Page]:
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()

    def place() -> None:
        """In the child: the two ends become its files 3 and 4."""
        one, other = os.dup(in_read), os.dup(out_write)
        os.dup2(one, 3)
        os.dup2(other, 4)

    command = [program, "--remote-debugging-pipe", *flags, "about:blank"]
    process = subprocess.Popen(
        command, preexec_fn=place, close_fds=False, env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(in_read)
    os.close(out_write)
    page = Page(in_write, out_read)
    try:
        yield page
    finally:
        page.close()
        process.terminate()
        process.wait(timeout=30)

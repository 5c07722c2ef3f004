"""Who asks an agent, and what is believed of either side: tokens, signatures, and requests that count once."""

from __future__ import annotations

import http.client
import os
import platform
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dlpipe.errors import StageFailed, ToolMissing, UserError
from dlpipe.toolchains.agent.client import TOKEN, Agent
from dlpipe.toolchains.agent.parts import common
from dlpipe.toolchains.agent.program import text

from .asking import SECRET, Start, ask, raw, signed


def test_an_agent_of_another_version_is_named(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    url = start()
    monkeypatch.setattr("dlpipe.toolchains.agent.client.VERSION", common.VERSION + 1)
    with pytest.raises(StageFailed, match=f"is of version {common.VERSION}, and this dlpipe speaks") as told:
        Agent(url)._ask("GET", f"/v1/folders/{'0' * 64}", b"", 10)
    assert "--export" in str(told.value.hint)


def test_who_has_another_token_gets_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    url = start()
    assert Agent(url).about()["machine"] == platform.machine()
    monkeypatch.setenv(TOKEN, "not the token of the agent")
    with pytest.raises(StageFailed, match="its signature is wrong"):  # its refusal is not signed by that token either
        Agent(url).about()
    monkeypatch.delenv(TOKEN)
    with pytest.raises(ToolMissing, match="wants its token"):
        Agent(url)


def test_somebody_else_s_answer_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        body = b'{"there": true}'
        fake = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nDlpipe-Signature: 00\r\n\r\n%s" % (len(body), body)

        def answer() -> None:
            connection, _ = listening.accept()
            connection.recv(65536)
            connection.sendall(fake)
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(StageFailed, match="not the agent's"):
            Agent(f"http://127.0.0.1:{listening.getsockname()[1]}").about()
        thread.join()


def test_a_request_counts_once_and_not_for_long(start: Start) -> None:
    url = start()
    assert ask(url, "GET", "/v1/about", nonce="once")[0] == 200
    assert ask(url, "GET", "/v1/about", nonce="once")[0] == 401
    assert ask(url, "GET", "/v1/about", nonce="old", moment=time.time() - 3600)[0] == 401


def test_a_request_that_was_listened_to_is_worth_nothing_to_the_next_agent(start: Start) -> None:
    """Started anew, or on another board with the same token: it does not know which numbers were used before."""
    first, path = start(), f"/v1/folders/{'0' * 64}"
    recorded = signed("GET", path, b"", Agent(first).about()["session"])
    assert raw(first, "GET", path, recorded)[0] == 200
    second = start()
    assert raw(second, "GET", path, recorded)[0] == 409
    assert raw(second, "GET", path, {**recorded, "Dlpipe-Session": Agent(second).about()["session"]})[0] == 401
    without = signed("GET", path, b"")
    assert raw(second, "GET", path, without)[0] == 409


def test_a_short_token_and_a_wrong_address_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(text())
    done = subprocess.run(
        [sys.executable, tmp_path / "agent.py"], env={**os.environ, TOKEN: "short"}, capture_output=True, text=True
    )
    assert (done.returncode, "16 characters" in done.stderr) == (2, True)
    monkeypatch.setenv(TOKEN, SECRET)
    wrong = (
        "ftp://board",
        "http://",
        "http://board/path",
        "http://b:99999",
        "http://b:x",
        "http://[::1",
        "http://u@b",
        "7",
    )
    for url in (*wrong, "http://b:0", "http://b?x", "http://b#x", ""):
        with pytest.raises(UserError, match="no address"):
            Agent(url)
    with pytest.raises(StageFailed, match="does not answer"):
        Agent("http://127.0.0.1:1").about()


def test_what_is_no_agent_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
            connection.recv(65536)
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(StageFailed, match="does not answer"):
            Agent(f"http://127.0.0.1:{listening.getsockname()[1]}").about()
        thread.join()


def test_nobody_s_body_is_read_before_the_signature_is_checked(start: Start) -> None:
    url = start()
    host, _, port = url.removeprefix("http://").partition(":")
    for length in (str(common.MAX_BODY), "many", "-1"):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(f"PUT /v1/folders/{'0' * 64} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode())
            assert connection.makefile("rb").readline().split()[1] == b"401"  # at once: no byte of a body was sent
    body = b"not what was signed"
    digest = common.sha256(b"what was signed")
    headers = signed("PUT", f"/v1/folders/{digest}", b"what was signed", Agent(url).about()["session"])
    other = http.client.HTTPConnection(host, int(port), timeout=30)
    other.request("PUT", f"/v1/folders/{digest}", body, headers)
    assert b"not what was signed" in other.getresponse().read()
    other.close()
    assert ask(url, "GET", f"/v1/folders/{digest}", nonce="after")[1] == {"there": False}

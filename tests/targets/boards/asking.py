"""What a client of an agent sends, and what a program on its board does."""

from __future__ import annotations

import http.client
import io
import json
import platform
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dlpipe.contracts.call import Call
from dlpipe.pipeline import boards
from dlpipe.targets.registry import backend, target
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.agent.client import Agent
from dlpipe.toolchains.agent.parts import common

SECRET = "a token of the tests alone"
native = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")
Start = Callable[..., str]


def board_call(url: str, name: str = "onnxruntime", operation: str = "run", arch: str | None = None) -> Call:
    here = replace(target("x86-64"), runner="device", arch=arch or platform.machine(), options={"agent": {"url": url}})
    make = boards.run_call if operation == "run" else boards.timing_call
    call = make(backend(name), here, "fp32")
    assert call is not None
    return call


def core(toolchains: Toolchains) -> tuple[str, ...]:
    return (str(toolchains.ensure("core").python),)


def raw(url: str, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Any:
    """(status, answer) of a request as it is."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def signed(
    method: str, path: str, body: bytes, session: str = "", nonce: str = "n", moment: float | None = None
) -> dict[str, str]:
    """The headers of whoever has the token."""
    at, digest = f"{time.time() if moment is None else moment:.3f}", common.sha256(body)
    parts = (method, path, at, nonce, digest, *([session] if session else []))
    return {
        "Dlpipe-Body": digest,
        "Dlpipe-Time": at,
        "Dlpipe-Nonce": nonce,
        "Dlpipe-Signature": common.signature(SECRET, *parts),
        **({"Dlpipe-Session": session} if session else {}),
    }


def ask(url: str, method: str, path: str, body: bytes = b"", **more: Any) -> Any:
    return raw(url, method, path, signed(method, path, body, Agent(url).about()["session"], **more), body)


GUEST = """
import json, os, sys, time
print("dlpipe of chatter that is no JSON")
print("dlpipe 7", flush=True)
if sys.argv[3] == "--time":
    for line in sys.stdin:
        print("dlpipe", json.dumps({"result": dict(os.environ)}), flush=True)
time.sleep(600)
"""
CRASHING = "raise SystemExit('crashed')"


def question(folder: str, **more: Any) -> bytes:
    asked = {"artifact": folder, "samples": folder, "code": {"g.py": GUEST}, "guest": "g", "seconds": 60, **more}
    return json.dumps(asked).encode()


def empty(url: str) -> str:
    made = io.BytesIO()
    tarfile.open(fileobj=made, mode="w").close()
    digest = common.sha256(made.getvalue())
    assert ask(url, "PUT", f"/v1/folders/{digest}", made.getvalue(), nonce="put")[0] == 200
    return digest


SAID = "print('dlpipe ' + json.dumps({'result': {}}), flush=True)"

"""What is sent to an agent stays in its place, and makes room for what comes."""

from __future__ import annotations

import io
import itertools
import tarfile
from pathlib import Path
from typing import Any

import pytest

from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.agent.client import Agent
from dlpipe.toolchains.agent.parts import common

from .asking import Start, ask, board_call, core, native, question


@native
def test_a_client_does_again_what_the_agent_has_forgotten(
    start: Start, inputs: Path, toolchains: Toolchains, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was started anew; what was sent had to make room."""
    first, second = start(python=core(toolchains)), start(python=core(toolchains))
    agent, call = Agent(first), board_call(first)
    given = {name: inputs / name for name in ("artifact", "samples")}
    assert agent.run(call, given)[0]["samples"] == 3
    agent._port = int(second.rpartition(":")[2])  # as if the other one had taken its place
    sent, before = agent._sent, []

    def gone(*asked: Any) -> dict[str, Any]:
        before.append(1)
        return sent(*asked) if len(before) > 1 else {**sent(*asked), "samples": "0" * 64}

    monkeypatch.setattr(agent, "_sent", gone)
    assert agent.run(call, given)[0]["samples"] == 3
    assert len(before) == 2


def test_what_was_used_least_lately_makes_room(start: Start) -> None:
    url = start("--space", 2500 / (1 << 30))

    def sent(content: bytes) -> str:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            member = tarfile.TarInfo("file")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        digest = common.sha256(made.getvalue())
        status, said = ask(url, "PUT", f"/v1/folders/{digest}", made.getvalue(), nonce=f"put {digest}")
        assert status == 200, said
        return digest

    numbers = itertools.count()

    def there(digest: str) -> bool:
        return bool(ask(url, "GET", f"/v1/folders/{digest}", nonce=str(next(numbers)))[1]["there"])

    first, second = sent(b"a" * 1000), sent(b"b" * 1000)
    assert there(first)  # and is used by that
    third = sent(b"c" * 1000)
    assert [there(each) for each in (first, second, third)] == [True, False, True]
    with pytest.raises(AssertionError, match="larger than the 2500 bytes"):
        sent(b"d" * 3000)
    status, said = ask(url, "POST", "/v1/run", question(second), nonce="run")
    assert (status, "not here any more" in said["error"]) == (410, True)
    # What waits to be timed keeps its folders, until there is no other way.
    for digest in (first, third):
        asked = question(digest, handle=digest, warmup=0, runs=1)
        assert ask(url, "POST", "/v1/time", asked, nonce=f"time {digest}")[0] == 200
    sent(b"e" * 1000)
    assert [there(each) for each in (first, third)] == [False, True]


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil"])
def test_a_folder_stays_in_its_place(start: Start, tmp_path: Path, name: str) -> None:
    url = start()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    digest = common.sha256(made.getvalue())
    status, said = ask(url, "PUT", f"/v1/folders/{digest}", made.getvalue())
    assert (status, "leaves its folder" in said["error"]) == (400, True)
    assert not list(tmp_path.rglob("evil"))


def test_links_and_wrong_digests_are_refused(start: Start) -> None:
    url = start()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    body = made.getvalue()
    assert "plain files" in ask(url, "PUT", f"/v1/folders/{common.sha256(body)}", body, nonce="1")[1]["error"]
    assert "not what its name says" in ask(url, "PUT", f"/v1/folders/{'0' * 64}", body, nonce="2")[1]["error"]
    assert ask(url, "GET", "/v1/folders/../../etc", nonce="3")[0] in (400, 404)

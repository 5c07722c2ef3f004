"""What a node does with a task, without a cluster around it: `serve` is what Ray calls there."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlpipe import __version__, errors
from dlpipe.contracts.call import Call
from dlpipe.errors import BadModel, ClusterTrouble, DlpipeError
from dlpipe.pipeline.cluster import node
from dlpipe.pipeline.cluster.task import Began, Ended, Task, pack
from dlpipe.pipeline.events import StageNote, StageProgress
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage, cache_key, key_parts
from dlpipe.pipeline.store import Lost
from dlpipe.pipeline.store.remote import VARIABLE
from dlpipe.toolchains.jail.tree import processes
from tests.service.running import alive, command_of, eventually


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    yield
    node.close()


def task(session: Session, worker: Path, operation: str, **params: Any) -> Task:
    stage = Stage("stage", "pass", Call("base", worker, operation, params))
    parts = key_parts(stage, {}, session.toolchains)
    return Task(
        dlpipe=__version__,
        run=session.id,
        bucket=None,
        cache=session.cache,
        offline=False,
        isolate=True,
        id=stage.id,
        kind=stage.kind,
        call=stage.call,
        worker=pack(worker, session.store),
        libraries=(),
        parts=parts,
        key=cache_key(parts),
    )


def ended(given: Task) -> DlpipeError | None:
    *_, last = node.serve(pickle.loads(pickle.dumps(given)))
    assert isinstance(last, Ended)
    return pickle.loads(pickle.dumps(last)).error


def test_a_record_lies_in_the_store_when_it_has_ended(session: Session, worker: Path) -> None:
    sent = task(session, worker, "wait", seconds=0)
    words = list(node.serve(sent))
    assert isinstance(words[0], Began)
    assert words[1:] == [
        StageProgress(stage="stage", message="waiting", fraction=0.5),
        StageNote(stage="stage", level="info", message="it waits", where={}),
        Ended(),
    ]
    record = session.store.get(sent.key)
    assert record is not None
    assert record.output is not None
    assert session.store.read(record.output, "said") == b"waited"
    assert list(node.serve(sent))[1:] == [Ended()]  # it is there: nothing is computed


def test_the_code_that_runs_is_the_code_that_was_sent(session: Session, worker: Path) -> None:
    sent = task(session, worker, "wait", seconds=0)
    worker.unlink()
    assert ended(sent) is None
    error = ended(replace(sent, parts={**sent.parts, "code": "0" * 64}))
    assert isinstance(error, ClusterTrouble)
    assert "another code" in error.message


def test_an_error_comes_back_as_it_was(session: Session, worker: Path) -> None:
    error = ended(task(session, worker, "refuse"))
    assert isinstance(error, BadModel)
    assert (error.message, error.where["op"]) == ("no such luck", "Conv")


def test_every_error_survives_the_way() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, DlpipeError)]
    for kind in (*kinds, Lost):
        again = pickle.loads(pickle.dumps(kind("what", hint="do", op="Conv")))
        assert (type(again), again.as_dict()) == (kind, kind("what", hint="do", op="Conv").as_dict())


def test_a_node_that_would_do_something_else_says_so(session: Session, worker: Path, tmp_path: Path) -> None:
    sent = task(session, worker, "wait", seconds=0)
    error = ended(replace(sent, dlpipe="0.0.1"))
    assert isinstance(error, ClusterTrouble)
    assert f"has dlpipe {__version__}, and this is 0.0.1" in error.message
    error = ended(replace(sent, cache=tmp_path / "elsewhere"))
    assert isinstance(error, ClusterTrouble)
    assert f"does not see the folder of the run, {tmp_path / 'elsewhere'}" in error.message


def test_machines_that_share_a_bucket_need_share_no_folder(
    own_cache: Path, worker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = f"file://{tmp_path}/bucket"
    monkeypatch.setenv(VARIABLE, bucket)
    with Session() as session:
        asked = task(session, worker, "wait", seconds=0)
        for tree in asked.trees():
            session.store.share(tree)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "toolchains").symlink_to((own_cache / "toolchains").resolve())
        monkeypatch.setenv("DLPIPE_CACHE_DIR", str(elsewhere))
        nowhere = tmp_path / "nowhere"
        assert ended(replace(asked, bucket=bucket, cache=nowhere)) is None
        assert not nowhere.exists()
        assert not list(session.store.records())
        record = session.store.get(asked.key)
        assert record is not None
        assert record.output is not None
        assert session.store.read(record.output, "said") == b"waited"


def test_who_stops_listening_stops_the_tool(session: Session, worker: Path) -> None:
    others = set(processes(os.getpid()))  # other tests' workers are kept warm in this process
    words = node.serve(task(session, worker, "wait", seconds=600))
    next(word for word in words if isinstance(word, StageProgress))
    tools = [each for each in processes(os.getpid()) if each not in others and "dlpipe_worker.py" in command_of(each)]
    words.close()
    assert tools
    eventually(lambda: not alive(tools))
    assert not list(session.store.records())

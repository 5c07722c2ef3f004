"""The local executor on a real worker of the base toolchain, with a real store."""

from __future__ import annotations

import json
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dlpipe.contracts.call import Call, Limits
from dlpipe.errors import BadModel, DiskTrouble, StageFailed, UserError
from dlpipe.pipeline.events import Event, StageFinished
from dlpipe.pipeline.executor import RESERVED
from dlpipe.pipeline.explain import explain
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.pipeline.store import Lost
from dlpipe.toolchains import Toolchains

WORKER = """
    from pathlib import Path
    from dlpipe_worker import Refused, operation

    @operation
    def add(request):
        total = request.params["amount"]
        for folder in request.inputs.values():
            total += int((Path(folder) / "number").read_text())
        (Path(request.out) / "number").write_text(str(total))
        request.note("added")
        return {"total": total}

    @operation
    def who(request):
        import os, time
        time.sleep(request.params["seconds"])
        return os.getpid()

    @operation
    def dice(request):
        import os
        (Path(request.out) / "number").write_bytes(os.urandom(8))

    @operation
    def hand_on(request):
        request.hand_on("a", "number")
        (Path(request.out) / "more").write_text("more")

    @operation
    def refuse(request):
        raise Refused("no such luck", node="conv1", op="Conv")

    @operation
    def crash(request):
        import os
        os.abort()
"""


@pytest.fixture
def worker(tmp_path: Path) -> Path:
    path = tmp_path / "room" / "worker.py"
    path.parent.mkdir()
    path.write_text(textwrap.dedent(WORKER))
    return path


@pytest.fixture
def cache(tmp_path: Path, toolchains: Toolchains, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    toolchains.root.mkdir(parents=True, exist_ok=True)
    (folder / "toolchains").symlink_to(toolchains.root)
    monkeypatch.setenv("DLPIPE_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def session(cache: Path) -> Iterator[Session]:
    with Session() as opened:
        yield opened


def add(worker: Path, name: str, amount: int, *after: str, required: bool = True) -> Stage:
    call = Call("base", worker, "add", {"amount": amount})
    return Stage(name, "pass", call, {f"in{i}": ref for i, ref in enumerate(after)}, required)


def finished(session: Session) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []

    def listen(event: Event) -> None:
        if isinstance(event, StageFinished):
            seen.append((event.stage, f"{event.status} {event.cache}"))

    session.bus.subscribe(listen)
    return seen


def test_stages_run_in_order_and_the_second_time_none_runs(cache: Path, worker: Path) -> None:
    stages = [add(worker, "c", 1, "a", "b"), add(worker, "a", 10), add(worker, "b", 100)]
    for cached in ("miss", "hit"):
        with Session() as session:
            seen = finished(session)
            outcomes = session.executor.run(stages)
            assert outcomes["c"].value == {"total": 111}
            assert session.store.read(outcomes["c"].output, "number") == b"111"
            assert outcomes["c"].record is not None
            assert [note["message"] for note in outcomes["c"].record.notes] == ["added"]
            assert dict(seen) == dict.fromkeys("abc", f"ok {cached}")


def test_the_key_knows_parameters_inputs_and_code(session: Session, worker: Path) -> None:
    executor = session.executor
    first = executor.run([add(worker, "a", 1)])["a"].key
    executor.forget(["a"])
    assert executor.run([add(worker, "a", 2)])["a"].key != first
    executor.forget(["a"])
    other = worker.parent.with_name("room2")
    other.mkdir()
    changed = other / "worker.py"
    changed.write_text(worker.read_text() + "\n# another version\n")
    assert executor.run([add(changed, "a", 1)])["a"].key != first


def test_what_is_not_done_when_the_time_is_up_fails_and_is_computed_the_next_time(
    session: Session, worker: Path
) -> None:
    late = replace(who(worker, "late", 3.0), required=False)
    session.executor.run([who(worker, "early")])  # the worker has started
    with session.executor.within(0.5):
        outcome = session.executor.run([late])["late"]
    assert (outcome.status, outcome.reason) == ("failed", "the tool did not finish within its time limit of 1 s")
    session.executor.forget(["late"])
    again = session.executor.run([late])["late"]
    assert (again.status, again.cache, again.key) == ("ok", "miss", outcome.key)


def who(worker: Path, name: str, seconds: float = 0.0) -> Stage:
    return Stage(name, "pass", Call("base", worker, "who", {"name": name, "seconds": seconds}))


@pytest.mark.parametrize(("patience", "workers"), [(1e6, 1), (0.0, 2)])
def test_a_second_worker_of_a_toolchain_is_started_when_the_first_was_waited_for(
    cache: Path, worker: Path, monkeypatch: pytest.MonkeyPatch, patience: float, workers: int
) -> None:
    with Session(jobs=2) as session:
        monkeypatch.setattr(session.executor.pool, "start_seconds", lambda _call: patience)
        outcomes = session.executor.run([who(worker, "a", 1.5), who(worker, "b", 1.5), who(worker, "c")])
        assert len(list((session.folder / "logs").glob("worker-*.log"))) == workers
        assert [outcome.status for outcome in outcomes.values()] == ["ok"] * 3


def test_workers_are_made_ready_once_something_must_be_computed(cache: Path, worker: Path) -> None:
    other = replace(who(worker, "later").call, limits=Limits(file_size=1 << 20))  # another seat in the pool
    for cached in (False, True):
        with Session(jobs=2) as session:
            if session.executor._memory < 2 * RESERVED:
                pytest.skip("not run: needs 8 GiB of memory")
            session.executor.look_ahead([other])
            session.executor.run([who(worker, "now")])
            for thread in threading.enumerate():
                if thread.name == "warm-up":
                    thread.join(60)
            assert session.executor.pool.workers(other) == (0 if cached else 1)


def test_a_failure_that_is_not_required_skips_what_depends_on_it(session: Session, worker: Path) -> None:
    bad = Stage("bad", "pass", Call("base", worker, "refuse"), required=False)
    after = Stage("after", "pass", Call("base", worker, "add", {"amount": 1}), {"in": "bad"}, required=False)
    last = Stage("last", "pass", Call("base", worker, "add", {"amount": 1}), {"in": "after"}, required=False)
    outcomes = session.executor.run([last, after, bad, add(worker, "other", 5)])
    assert {name: each.status for name, each in outcomes.items()} == {
        "bad": "failed",
        "after": "skipped",
        "last": "skipped",
        "other": "ok",
    }
    assert "no such luck" in (outcomes["last"].reason or "")


def test_a_required_failure_ends_the_run_and_names_the_stage(session: Session, worker: Path) -> None:
    with pytest.raises(BadModel, match="no such luck") as caught:
        session.executor.run([Stage("bad", "pass", Call("base", worker, "refuse"))])
    assert caught.value.where["stage"] == "bad"
    assert caught.value.where["node"] == "conv1"


def test_a_failure_is_never_cached_and_leaves_a_bundle(cache: Path, worker: Path) -> None:
    stage = Stage("crash", "pass", Call("base", worker, "crash"), {"in": "a"})
    for _ in range(2):
        with Session() as session:
            seen = finished(session)
            with pytest.raises(StageFailed, match="SIGABRT") as caught:
                session.executor.run([add(worker, "a", 1), stage])
            assert ("crash", "failed miss") in seen
            bundle = Path(caught.value.where["bundle"])
            assert json.loads((bundle / "request.json").read_text())["call"]["operation"] == "crash"
            assert (bundle / "inputs" / "in" / "number").read_text() == "1"
            assert len(list(session.store.records())) == 1


def test_a_damaged_output_is_made_anew(cache: Path, worker: Path) -> None:
    with Session() as session:
        tree = session.executor.run([add(worker, "a", 7)])["a"].output
        sha256 = session.store.tree(tree).file("number").sha256
    blob = next(path for path in (cache / "store" / "objects").rglob("*") if path.name == sha256[2:])
    blob.chmod(0o644)
    blob.write_bytes(b"8")
    with Session() as session:
        outcomes = session.executor.run([add(worker, "a", 7), add(worker, "b", 1, "a")])
        assert outcomes["b"].value == {"total": 8}
        assert session.store.verify() == []


def lose(session: Session, *trees: str) -> None:
    """Their numbers vanish from the store."""
    for tree in trees:
        sha256 = session.store.tree(tree).file("number").sha256
        (session.store.root / "objects" / sha256[:2] / sha256[2:]).unlink()


def test_what_is_lost_in_mid_run_is_made_again(session: Session, worker: Path) -> None:
    executor = session.executor
    outcomes = executor.run([add(worker, "a", 7), add(worker, "b", 1, "a"), add(worker, "other", 40)])
    lose(session, outcomes["a"].output, outcomes["b"].output)
    seen = finished(session)
    assert executor.run([add(worker, "c", 1, "b", "other")])["c"].value == {"total": 49}
    assert seen == [("a", "ok miss"), ("b", "ok miss"), ("other", "ok hit"), ("c", "ok miss")]
    assert session.store.verify() == []


def test_what_is_lost_and_cannot_be_had_again_ends_the_run(session: Session, worker: Path, tmp_path: Path) -> None:
    executor = session.executor
    (tmp_path / "number").write_text("5")
    source = session.store.ingest(tmp_path / "number").digest
    made = executor.run([Stage("dice", "pass", Call("base", worker, "dice"))])["dice"].output
    lose(session, source, made)
    with pytest.raises(Lost, match="gives something else now"):
        executor.run([add(worker, "a", 1, "dice", required=False)])
    with pytest.raises(Lost, match="missing or damaged"):
        executor.run([add(worker, "b", 1, f"tree:{source}", required=False)])


def test_explain_names_what_differs(cache: Path, worker: Path) -> None:
    for amount in (1, 2):
        with Session() as session:
            session.executor.run([add(worker, "a", amount)])
    (entry,) = explain(session.store, session.id, "a")
    assert entry["cache"] == "miss"
    assert "params.amount" in entry["why"]
    with pytest.raises(UserError, match="no stage"):
        explain(session.store, session.id, "z")


def test_a_full_disk_ends_the_run_though_the_stage_may_fail(
    cache: Path, worker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise DiskTrouble("the cache's disk is full")

    with Session() as session:
        monkeypatch.setattr(session.store, "ingest", full)
        with pytest.raises(DiskTrouble):
            session.executor.run([Stage("one", "pass", Call("base", worker, "add", {"amount": 1}), {}, required=False)])


def test_a_file_that_is_handed_on_is_the_same_object(cache, worker):
    with Session() as session:
        first = Stage("first", "pass", Call("base", worker, "add", {"amount": 1}))
        second = Stage("second", "pass", Call("base", worker, "hand_on"), {"a": "first"})
        outcomes = session.executor.run([first, second])
        trees = [session.store.tree(outcomes[name].output) for name in ("first", "second")]
        assert [file.name for file in trees[1].files] == ["more", "number"]
        assert trees[1].file("number") == trees[0].file("number")
        assert session.store.read(trees[1].digest, "number") == b"1"

"""Warm workers: reuse, several threads, and no worker that outlives its host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import BadModel, Interrupted, StageFailed
from dlpipe.toolchains.environment import read_complete, write_complete
from dlpipe.toolchains.jail import JailKind, describe
from dlpipe.toolchains.pool import WorkerPool

_WHO = "request.started = time.time()\nreturn [os.getpid(), id(sys.modules)]"


def test_a_worker_is_reused_and_inputs_are_fresh(bench, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    (given / "a.txt").write_text("a", encoding="ascii")
    first = bench.run(_WHO, inputs={"x": given})
    assert bench.run(_WHO) == first
    assert bench.run("return sorted(request.inputs), os.listdir(request.out)") == [[], []]


def test_a_fresh_call_gets_a_process_that_has_served_none(bench, tmp_path):
    call = replace(bench.call(_WHO), fresh=True)
    first = bench.run(_WHO)
    second = bench.pool.run(call, {}, tmp_path / "out")
    assert second != first
    with bench.pool.worker("plain", fresh=True) as worker:
        worker.load(call)  # imports what the call needs, and serves nothing
        loaded = worker.pid
    with bench.pool.worker("plain", fresh=True) as worker:
        assert worker.pid == loaded


def test_a_file_that_is_handed_on_is_in_the_output(bench, tmp_path):
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    (given / "weights").write_bytes(b"many")
    call = bench.call("request.hand_on('x', 'weights'); open(os.path.join(request.out, 'new'), 'w').close()")
    bench.pool.run(call, {"x": given}, out)
    assert sorted(path.name for path in out.iterdir()) == ["new", "weights"]
    assert (out / "weights").read_bytes() == b"many"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("request.hand_on('x', '../../etc/passwd')", "that it was not given"),
        ("request.hand_on('y', 'weights')", "that it was not given"),
        ("request.hand_on('x', ['weights'])", "is not text"),
        (
            "request.hand_on('x', 'weights'); open(os.path.join(request.out, 'weights'), 'w').close()",
            "handed it on as well",
        ),
    ],
)
def test_only_what_was_given_is_handed_on(bench, tmp_path, source, message):
    given = tmp_path / "given"
    given.mkdir()
    (given / "weights").write_bytes(b"many")
    with pytest.raises(StageFailed, match=message):
        bench.run(source, inputs={"x": given})


def test_a_refusal_keeps_the_worker_and_a_failure_does_not(bench):
    with bench.pool.worker("plain") as worker:
        first = worker.pid
    with pytest.raises(BadModel):
        bench.run("raise Refused('no')")
    with bench.pool.worker("plain") as worker:
        assert worker.pid == first
    with pytest.raises(StageFailed):
        bench.run("raise ValueError('odd')")
    with bench.pool.worker("plain") as worker:
        assert worker.pid != first


def test_a_worker_that_is_held_keeps_several_places(bench):
    write = bench.call("open(os.path.join(request.out, request.params['name']), 'w').close()", name="plain")
    with bench.pool.worker("plain") as worker:
        places = [worker.place(label) for label in ("a", "b")]
        for place in places:
            (place.inputs / "model").mkdir()
            (place.inputs / "model" / place.label).touch()
        look = bench.call("return {name: os.listdir(path) for name, path in request.inputs.items()}")
        assert [worker.call(look, place) for place in places] == [{"model": ["a"]}, {"model": ["b"]}]
        call = Call(write.toolchain, write.worker, write.operation, {"name": "result"})
        assert worker.call(call, places[0]) is None
        assert [path.name for path in places[0].out.iterdir()] == ["result"]
        assert worker.call(look, places[0]) == {"model": ["a"]}
        assert list(places[0].out.iterdir()) == []
        with pytest.raises(ValueError, match="not a label"):
            worker.place("../up")


def test_several_threads_share_a_pool(bench, tmp_path):
    call = bench.call("time.sleep(0.2)\nopen(os.path.join(request.out, 'x'), 'w').close()\nreturn request.params['n']")
    values: dict[int, object] = {}

    def work(number: int) -> None:
        mine = Call(call.toolchain, call.worker, call.operation, {"n": number}, limits=call.limits)
        values[number] = bench.pool.run(mine, {}, tmp_path / f"out-{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert values == {number: number for number in range(4)}
    assert all((tmp_path / f"out-{number}" / "x").is_file() for number in range(4))
    # A worker outlives the thread that started it (parent-death signals are sent when that thread ends).
    assert bench.run("return 'alive'") == "alive"


def test_closing_the_pool_interrupts_calls_under_way(bench):
    call = bench.call("time.sleep(600)")
    caught: list[BaseException] = []

    def work() -> None:
        try:
            bench.pool.run(call, {}, bench.folder / "never")
        except Interrupted as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(1)
    bench.pool.close()
    thread.join(30)
    assert len(caught) == 1
    assert not (bench.folder / "session-0").exists()
    with pytest.raises(Interrupted):
        bench.run("return 1")


def _eventually(truth: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 30
    while not truth() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(truth())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_host(kind, environment, tmp_path, number, processes_marked):
    mark = f"41{os.getpid()}.{int(number)}"
    room = tmp_path / "room"
    room.mkdir()
    (room / "worker.py").write_text(
        textwrap.dedent(
            f"""
            import subprocess
            from dlpipe_worker import operation

            @operation
            def work(request):
                subprocess.Popen(["sleep", "{mark}"], start_new_session=True)
                request.progress("started")
                subprocess.run(["sleep", "{mark}"])
            """
        ),
        encoding="utf-8",
    )
    host = textwrap.dedent(
        f"""
        from pathlib import Path
        from dlpipe.contracts.call import Call
        from dlpipe.toolchains.environment import read_complete
        from dlpipe.toolchains.jail import JailKind
        from dlpipe.toolchains.pool import WorkerPool

        class One:
            def ensure(self, name):
                return read_complete(Path({str(environment.root)!r}))

            def devices(self, name):
                return ()

        here = Path({str(tmp_path)!r})
        with WorkerPool(One(), here / "session", jail=JailKind({kind.value!r}), keep_logs=here / "logs") as pool:
            call = Call("plain", here / "room" / "worker.py", "work")
            pool.run(call, {{}}, here / "out", lambda event: print("begun", flush=True))
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", host],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # A test run that a script started in the background ignores Ctrl-C, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert _eventually(lambda: len(processes_marked(mark)) == 2)
        process.send_signal(number)
        process.wait(30)
        assert _eventually(lambda: not processes_marked(mark))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_links_are_safe_only_behind_a_read_only_mount(bench):
    assert bench.pool.links_are_safe is bench.pool.kind.isolates


def test_the_plain_jail_warns_and_says_what_to_do(tmp_path):
    with pytest.warns(RuntimeWarning, match="without network and file isolation: "):
        WorkerPool({}, tmp_path / "session", jail=JailKind.PLAIN, keep_logs=tmp_path).close()


def test_describe_says_what_was_tried():
    said = describe()
    assert set(said["tried"]) == {kind.value for kind in JailKind}
    assert said["kind"] in said["tried"]
    assert (said["remedy"] is None) == said["isolated"]


def test_code_has_the_same_path_for_the_same_content(cell):
    source = "return __file__"
    first = cell.run(source)
    assert first.startswith("/dlpipe/code/room-")
    assert cell.run(source) == first


def test_a_worker_sees_the_libraries_that_its_call_names(cell):
    library = cell.folder / "library"
    library.mkdir()
    (library / "__init__.py").write_text("")
    (library / "words.py").write_text("WORD = 'hello'\n")
    source = "from ..library.words import WORD\nreturn WORD"
    with pytest.raises(StageFailed, match="No module named"):
        cell.run(source)
    call = replace(cell.call(source), libraries=(library,))
    assert cell.pool.run(call, {}, cell.folder / "out") == "hello"
    with pytest.raises(ValueError, match="two libraries are called library"):
        cell.pool.run(replace(call, libraries=(library, library)), {}, cell.folder / "out2")


@pytest.mark.interpreter
@pytest.mark.parametrize("version", ["3.6", "3.7", "3.13"])
def test_other_interpreters_speak_the_protocol(
    isolating_kind, new_pool, new_environment, tmp_path, version, find_python
):
    environment = new_environment(tmp_path / "old", find_python(version))
    room = tmp_path / "room"
    room.mkdir()
    (room / "worker.py").write_text(
        "import sys\nfrom dlpipe_worker import operation\nfrom . import sibling\n\n"
        "@operation\ndef version_(request):\n    request.progress('on it')\n    return sibling.answer()\n",
        encoding="utf-8",
    )
    (room / "sibling.py").write_text("import sys\ndef answer():\n    return list(sys.version_info[:2])\n", "utf-8")
    pool = new_pool(isolating_kind, environment)
    value = pool.run(Call("old", room / "worker.py", "version"), {}, tmp_path / "out")
    assert value == [int(part) for part in version.split(".")]


def test_resources_are_seen_read_only(kind, environment, new_pool, tmp_path):
    root = tmp_path / "emulator"
    root.mkdir()
    (root / "program").write_text("emulate", encoding="ascii")
    write_complete(root, "emulator", "1" * 64, None, (), {})
    resource = read_complete(root)
    assert resource is not None
    room = tmp_path / "room"
    room.mkdir()
    (room / "worker.py").write_text(
        "import os\nfrom dlpipe_worker import operation\n\n"
        "@operation\ndef look(request):\n"
        "    folder = request.resources['emulator']\n"
        "    text = open(os.path.join(folder, 'program')).read()\n"
        "    try:\n        open(os.path.join(folder, 'planted'), 'w').close()\n"
        "    except OSError:\n        return [text, folder, False]\n"
        "    return [text, folder, True]\n",
        encoding="utf-8",
    )
    pool = new_pool(kind, environment, resource)
    call = Call("plain", room / "worker.py", "look", resources=("emulator",))
    text, folder, planted = pool.run(call, {}, tmp_path / "out")
    assert text == "emulate"
    assert planted is not kind.isolates
    assert folder == ("/dlpipe/resources/emulator" if kind.isolates else str(root))

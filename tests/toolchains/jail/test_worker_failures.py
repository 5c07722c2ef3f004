"""However a worker ends or lies, the host says what happened, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.contracts.call import Limits
from dlpipe.errors import BadModel, DiskTrouble, StageFailed, Unsupported


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGILL", "SIGFPE"])
def test_a_crash_names_the_signal_and_the_last_telling_line(bench, name, tmp_path):
    log = tmp_path / "stage.log"
    with pytest.raises(StageFailed, match=f"crashed with {name}.*: Check failed: rank == 4") as caught:
        bench.run(
            """
            print("converting 40%")
            print("Check failed: rank == 4", file=sys.stderr)
            print("/x.py:1: DeprecationWarning: this is old", file=sys.stderr)
            os.kill(os.getpid(), getattr(signal, request.params["signal"]))
            time.sleep(60)
            """,
            log=log,
            signal=name,
        )
    assert caught.value.where["signal"] == name
    assert caught.value.where["toolchain"] == "plain"
    assert caught.value.where["operation"] == "work"
    assert "converting 40%" in Path(caught.value.where["log"]).read_text(encoding="utf-8")


@pytest.mark.parametrize("status", [0, 3])
def test_a_worker_that_ends_in_mid_request(bench, status):
    with pytest.raises(StageFailed, match=f"ended in mid-work with exit status {status}"):
        bench.run("os._exit(request.params['status'])", status=status)


def test_sys_exit_of_a_tool_is_its_failure(bench):
    with pytest.raises(StageFailed, match=r"the tool ended itself: exit\('no such layer'\)"):
        bench.run("sys.exit('no such layer')")


def test_an_exception_is_a_failed_stage_with_the_trace_in_the_log(bench, tmp_path):
    log = tmp_path / "stage.log"
    with pytest.raises(StageFailed, match="KeyError: 'lost'"):
        bench.run("{}['lost']", log=log)
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_what_a_worker_says_can_be_written_and_sent_on(bench):
    """A name of a model in JSON may hold half a surrogate pair. The service's list of jobs failed over one for good."""
    with pytest.raises(BadModel) as caught:
        bench.run(r"raise Refused('no \ud800 here \u00e9\U0001f600', node='a\udfffb')")
    assert caught.value.message == "no ? here \u00e9\U0001f600"
    assert caught.value.where["node"] == "a?b"


def test_refusals_are_the_models_fault(bench):
    with pytest.raises(BadModel, match="truncated") as bad:
        bench.run("raise Refused('truncated', hint='download it again')")
    assert bad.value.hint == "download it again"
    with pytest.raises(Unsupported) as unsupported:
        bench.run("raise Refused('no kernel', kind='unsupported', node='conv1', op='Conv')")
    assert (unsupported.value.where["node"], unsupported.value.where["op"]) == ("conv1", "Conv")


def test_an_unknown_operation_and_values_that_are_not_json(bench):
    with pytest.raises(StageFailed, match="Out of range float values"):
        bench.run("return float('nan')")
    with pytest.raises(StageFailed, match="not JSON serializable"):
        bench.run("return {1, 2}")


_SOCKET = """
import gc
channel = next(thing for thing in gc.get_objects() if type(thing).__name__ == "_Channel")
raw = channel._socket
"""


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ("raw.sendall(b'garbage\\n')", "not JSON"),
        ("raw.sendall(b'\\xff\\xfe\\n')", "not JSON"),
        ("raw.sendall(b'[' * 100000 + b'\\n')", "not JSON"),
        ("raw.sendall(b'[1]\\n')", "not an event"),
        ("raw.sendall(b'{\"event\": 7}\\n')", "not an event"),
        ('raw.sendall(b\'{"event": "result", "id": 999}\\n\')', "not asked"),
        ('raw.sendall(b\'{"event": "result", "value": NaN, "id": 1}\\n\')', "not JSON"),
        ("channel.send({'id': request.id, 'event': 'dance'})", "unknown type"),
        ("channel.send({'id': request.id, 'event': 'progress', 'message': 5})", "message"),
        ("channel.send({'id': request.id, 'event': 'progress', 'fraction': 'x'})", "fraction"),
        ("while True: raw.sendall(b'x' * (1 << 20))", "64 MiB"),
        ("while True: request.progress('on and on')", "events"),
        ("raw.shutdown(2)", "closed its connection"),
    ],
)
def test_a_worker_that_breaks_the_protocol(bench, lie, message):
    with pytest.raises(StageFailed, match=f"broke the protocol: .*{message}"):
        bench.run(_SOCKET + lie + "\ntime.sleep(60)", Limits(wall_seconds=50))


def test_chatter_does_not_break_the_protocol(bench, tmp_path):
    log = tmp_path / "stage.log"
    value = bench.run(
        """
        print('{"id": 1, "event": "result", "value": "forged"}')
        subprocess.run(["echo", "from a child"])
        os.write(2, b"\\xff\\x00 raw bytes\\n")
        import ctypes
        ctypes.CDLL(None).printf(b"from C, buffered\\n")
        request.progress("half way", 0.5)
        sys.stdout.close()
        return "true"
        """,
        log=log,
    )
    assert value == "true"
    said = log.read_bytes()
    for words in (b"forged", b"from a child", b"raw bytes", b"from C, buffered"):
        assert words in said
    assert {"event": "progress", "message": "half way", "fraction": 0.5} in bench.events


def test_endless_chatter_is_bounded_and_its_end_is_kept(bench, tmp_path):
    log = tmp_path / "stage.log"
    with pytest.raises(StageFailed, match="the last words: error 7"):
        bench.run(
            """
            for _ in range(30):
                os.write(1, b"chatter\\n" * (1 << 17))
            os.write(1, b"the last words: error 7\\n")
            os.abort()
            """,
            log=log,
        )
    bench.pool.close()
    said = log.read_bytes()
    assert len(said) < 17 << 20
    assert b"left out" in said
    assert said.endswith(b"the last words: error 7\n")


def test_attempts_to_install_or_download_are_reported(bench):
    bench.run(
        """
        for command in (["pip", "install", "left-pad"], ["curl", "-s", "http://example.org/x y"], ["wget", "x"],
                        ["git", "clone", "x"], ["git", "status"], [sys.executable, "-m", "pip", "install", "evil"]):
            assert subprocess.run(command, capture_output=True).returncode != 0
        """
    )
    notes = "\n".join(bench.notes())
    for words in ("`pip install left-pad`", "`curl -s http://example.org/x y`", "`wget x`", "`git clone x`"):
        assert words in notes
    assert "`python -m pip install evil`" in notes
    assert "git status" not in notes


def test_signs_of_the_network_in_the_chatter_are_reported(bench):
    bench.run("print('urlopen error [Errno -3] Temporary failure in name resolution')")
    assert bench.notes() == ["the tool tried to reach the network (blocked)"]


def test_attempts_to_reach_out_are_reported_when_the_tool_keeps_quiet(bench):
    """Telemetry swallows its errors. (Reserved names and addresses: RFC 2606, RFC 5737.)"""
    bench.run(
        """
        import urllib.request
        def quietly(deed, *args, **options):
            try:
                deed(*args, **options)
            except Exception:
                pass
        quietly(urllib.request.urlopen, "https://telemetry.invalid/x", timeout=2)
        quietly(socket.gethostbyname, "name.invalid")
        quietly(socket.create_connection, ("192.0.2.1", 80), timeout=0.5)
        script = "import socket; socket.getaddrinfo(b'child.invalid', 21)"
        subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
        """
    )
    fate = (
        "blocked (a conversion has no network)" if bench.pool.kind.isolates else "this kind of jail cannot prevent it"
    )
    tried = ("telemetry.invalid:443", "name.invalid", "192.0.2.1:80", "child.invalid:21")
    assert bench.notes() == [f"the tool tried to reach `{destination}`: {fate}" for destination in tried]


def test_what_stays_on_the_machine_is_no_attempt_to_reach_out(bench):
    bench.run(
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).close()
        socket.getaddrinfo(socket.gethostname(), 80)
        socket.getaddrinfo(None, 80, flags=socket.AI_PASSIVE)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 53))
            except OSError:
                pass
        """
    )
    assert bench.notes() == []


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        ("os.symlink('/etc/passwd', path)", "a symbolic link"),
        ("os.mkfifo(path)", "a pipe"),
        ("socket.socket(socket.AF_UNIX).bind(path)", "a socket"),
        ("open(path + chr(10) + 'x', 'w').close()", "a name that cannot be kept"),
        ("open(path.encode() + bytes([255]), 'w').close()", "a name that cannot be kept"),
    ],
)
def test_outputs_that_no_artefact_may_hold(bench, deed, message):
    with pytest.raises(StageFailed, match=message):
        bench.run(f"path = os.path.join(request.out, 'x')\n{deed}")
    assert not (bench.folder / "out").exists()


def test_a_full_disk_is_no_fault_of_the_tool(bench):
    with pytest.raises(DiskTrouble, match="working folder is full"):
        bench.run("raise OSError(28, 'No space left on device')")


def test_a_full_disk_is_told_from_a_tools_own_words(bench):
    """Compilers are no Python, and end as they like."""
    said = "LLVM ERROR: IO failure on output stream: No space left on device"
    with pytest.raises(DiskTrouble, match="working folder is full"):
        bench.run(f"raise RuntimeError('zig cc ended with status 1: {said}')")
    with pytest.raises(DiskTrouble, match="working folder is full"):
        bench.run(f"print('{said}', file=sys.stderr, flush=True); os.abort()")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="not run: no /dev/full here")
def test_a_log_that_cannot_be_written_stops_nothing(bench):
    assert bench.run("print('x' * 1000000)", log=Path("/dev/full")) is None

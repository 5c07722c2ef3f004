"""What a hostile model may try from inside, tried."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest


def test_the_hosts_loopback_is_out_of_reach(cell):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        reached = cell.run(
            """
            outcome = []
            for host in ("127.0.0.1", "localhost", "::1"):
                try:
                    socket.create_connection((host, request.params["port"]), timeout=3).close()
                    outcome.append(host)
                except OSError:
                    pass
            return outcome
            """,
            port=server.getsockname()[1],
        )
        with pytest.raises(TimeoutError):
            server.accept()
    assert reached == []


def test_the_hosts_abstract_sockets_are_out_of_reach(cell):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0dlpipe-test-{os.getpid()}")
        server.listen()
        outcome = cell.run(
            """
            try:
                socket.socket(socket.AF_UNIX).connect(chr(0) + request.params["address"])
            except OSError as error:
                return type(error).__name__
            return "connected"
            """,
            address=f"dlpipe-test-{os.getpid()}",
        )
    assert outcome == "ConnectionRefusedError"


def test_it_has_a_loopback_of_its_own(cell):
    said = cell.run(
        """
        import threading
        server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=lambda: server.accept()[0].sendall(b"hello")).start()
        return socket.create_connection(server.getsockname(), timeout=5).recv(5).decode()
        """
    )
    assert said == "hello"


def test_there_is_no_way_out_and_no_name_service(cell):
    outcome = cell.run(
        """
        found = {"interfaces": [name for _, name in socket.if_nameindex()]}
        try:
            found["name"] = socket.getaddrinfo("example.org", 80)
        except OSError as error:
            found["name"] = None
        try:
            probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            probe.connect(("192.0.2.1", 53))
            found["route"] = probe.getsockname()
        except OSError as error:
            found["route"] = None
        return found
        """
    )
    assert "lo" in outcome["interfaces"]
    assert outcome["name"] is None
    assert outcome["route"] is None


def test_home_repository_and_secrets_cannot_be_read(cell, repo_root, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="ascii")
    hidden = [secret, repo_root / "pyproject.toml", repo_root / "dlpipe" / "errors.py", Path("/etc/shadow")]
    hidden += [Path("/etc/passwd").resolve(), Path("/var/log"), Path("/sys/class"), Path("/proc/1/root/work")]
    hidden += [entry for entry in Path.home().iterdir() if entry.is_file()][:20]
    seen = cell.run(
        """
        seen = {}
        for path in request.params["paths"]:
            try:
                seen[path] = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(2000).decode("latin-1")
            except OSError:
                pass
        return seen
        """,
        paths=[str(path) for path in hidden],
    )
    passwd = seen.pop("/etc/passwd", "")
    assert "worker" in passwd
    assert "root" not in passwd
    assert seen == {}


def test_of_the_home_folder_only_the_toolchain_is_there(cell, environment):
    outside = cell.run(
        """
        found = []
        for folder in request.params["above"]:
            if os.path.isdir(folder):
                found += [os.path.join(folder, name) for name in os.listdir(folder)]
        return found
        """,
        above=[str(parent) for folder in environment.visible for parent in folder.parents if parent != Path("/")],
    )
    allowed = {str(path) for folder in environment.visible for path in (folder, *folder.parents)}
    programs = {path for path in outside if path.startswith("/usr")}
    assert set(outside) - programs <= allowed


def test_the_environment_is_empty_of_the_hosts(bench, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-leak")
    text = bench.run(
        """
        everything = [str(dict(os.environ))]
        for process in filter(str.isdigit, os.listdir("/proc")):
            if int(process) in (1, os.getppid(), os.getpid()) and request.params["proc"] or int(process) == os.getpid():
                try:
                    everything.append(open("/proc/" + process + "/environ").read())
                except OSError:
                    pass
        return " ".join(everything)
        """,
        proc=bench.pool.kind.isolates,
    )
    assert "do-not-leak" not in text
    assert "PYTHONHASHSEED" in text


def test_nothing_but_the_output_folder_can_be_written(cell, environment, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    (given / "weights.bin").write_bytes(b"weights")
    written = cell.run(
        """
        folder = request.inputs["model"]
        places = [folder, "/", "/usr", "/usr/bin", "/etc", "/dev", "/dlpipe", "/dlpipe/in", "/dlpipe/code"]
        places += ["/dlpipe/runtime", "/dlpipe/shims", sys.prefix] + request.params["visible"]
        written = []
        for place in places:
            try:
                open(os.path.join(place, "planted"), "w").close()
                written.append(place)
            except OSError:
                pass
        for change in (lambda path: open(path, "ab").close(), lambda path: os.chmod(path, 0o777), os.unlink):
            try:
                change(os.path.join(folder, "weights.bin"))
                written.append("input")
            except OSError:
                pass
        open(os.path.join(request.out, "result"), "w").close()
        return written
        """,
        inputs={"model": given},
        visible=[str(folder) for folder in environment.visible],
    )
    assert written == []
    assert (tmp_path / "out" / "result").is_file()


def test_it_is_not_root_and_cannot_become_it(cell):
    outcome = cell.run(
        """
        import ctypes
        status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
        libc = ctypes.CDLL(None, use_errno=True)
        return {
            "uid": os.getuid(),
            "capabilities": int(status["CapEff"], 16) | int(status["CapPrm"], 16),
            "no_new_privileges": status["NoNewPrivs"],
            "user_namespace": libc.unshare(0x10000000),
            "mount": libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
            "host_name": socket.gethostname(),
        }
        """
    )
    assert outcome == {
        "uid": 1000,
        "capabilities": 0,
        "no_new_privileges": "1",
        "user_namespace": -1,
        "mount": -1,
        "host_name": "dlpipe",
    }


def test_it_sees_no_process_but_its_own(cell):
    processes = cell.run("return sorted(int(name) for name in os.listdir('/proc') if name.isdigit())")
    assert processes[0] == 1
    assert len(processes) <= 3


def test_paths_do_not_depend_on_this_machine(cell, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    paths = cell.run(
        """
        code = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
        return [request.out, request.inputs["model"], code, sys.prefix, os.getcwd()]
        """,
        inputs={"model": given},
    )
    assert paths == ["/dlpipe/out/call", "/dlpipe/in/call/model", "/dlpipe/code", "/dlpipe/toolchains/plain", "/tmp"]


def test_two_workers_do_not_see_each_other(cell):
    call = cell.call("open(os.path.join(request.out, 'mine'), 'w').close(); return os.listdir('/dlpipe/out')")
    with cell.pool.worker("plain") as one, cell.pool.worker("plain") as other:
        results = []
        threads = [
            threading.Thread(target=lambda worker=worker: results.append(worker.call(call, worker.place("x"))))
            for worker in (one, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.pid != other.pid
    assert results == [["x"], ["x"]]

"""A worker that passes a limit is ended, and the error says which."""

from __future__ import annotations

import os

import pytest

from dlpipe.contracts.call import Limits
from dlpipe.errors import StageFailed
from dlpipe.toolchains.jail.tree import usage

_MIB = 1 << 20


def test_the_hosts_disk_is_not_a_workers_memory():
    """The head of a cell that is still being set up sees the host's folders, as this process does."""
    own = usage(os.getpid()).memory
    assert usage(os.getpid(), scratch=("/", "/usr", "/tmp")).memory < own + 64 * _MIB


def test_a_fork_bomb_is_stopped(bench, processes_marked):
    mark = f"31{os.getpid()}.5"
    with pytest.raises(StageFailed, match=r"started \d+ processes; the limit is 100") as caught:
        bench.run(
            """
            for _ in range(2000):
                pid = os.fork()
                if pid == 0:
                    os.setsid()
                    if os.fork() == 0:
                        os.execvp("sleep", ["sleep", request.params["mark"]])
                    os._exit(0)
            time.sleep(60)
            """,
            Limits(processes=100, wall_seconds=60),
            mark=mark,
        )
    assert caught.value.where["status"] == "processes limit"
    assert caught.value.exit_code == 4
    assert processes_marked(mark) == []


def test_memory_is_bounded(bench):
    with pytest.raises(StageFailed, match=r"of memory; the limit is 300 MiB"):
        bench.run(
            """
            hoard = []
            while True:
                hoard.append(bytearray(os.urandom(1 << 20)) * 8)
                time.sleep(0.005)
            """,
            Limits(memory=300 * _MIB, wall_seconds=60),
        )


def test_memory_counts_all_processes_and_once(bench):
    shared = 200 * _MIB
    limits = Limits(memory=400 * _MIB, wall_seconds=60)
    # Four processes that share 200 MiB after a fork use 200 MiB, not 1000.
    assert bench.run(
        """
        block = bytearray(request.params["size"])
        block[::4096] = b"x" * len(block[::4096])
        for _ in range(4):
            if os.fork() == 0:
                time.sleep(60)
        time.sleep(1)
        return "fine"
        """,
        limits,
        size=shared,
    )
    with pytest.raises(StageFailed, match="of memory"):
        bench.run(
            """
            for _ in range(4):
                if os.fork() == 0:
                    block = bytearray(request.params["size"])
                    block[::4096] = b"x" * len(block[::4096])
                    time.sleep(60)
            time.sleep(60)
            """,
            limits,
            size=shared,
        )


def test_address_space_that_is_never_used_is_free(bench):
    assert (
        bench.run(
            """
        import mmap
        reserved = mmap.mmap(-1, 64 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
        time.sleep(0.5)
        return len(reserved)
        """,
            Limits(memory=300 * _MIB, wall_seconds=60),
        )
        == 64 << 30
    )


def test_files_in_memory_count(cell):
    with pytest.raises(StageFailed, match="of memory"):
        cell.run(
            """
            with open("/dev/shm/hoard", "wb") as file:
                while True:
                    file.write(b"x" * (1 << 20))
                    time.sleep(0.002)
            """,
            Limits(memory=300 * _MIB, wall_seconds=60),
        )


def test_an_allocation_that_python_refuses_says_memory(bench):
    with pytest.raises(StageFailed, match="ran out of memory"):
        bench.run("return len(bytearray(1 << 62))")


def test_a_file_is_bounded(bench):
    with pytest.raises(StageFailed, match=r"File too large.*the limit is 1048576 bytes for a file"):
        bench.run(
            "open(os.path.join(request.out, 'big'), 'wb').write(bytes(1 << 21))",
            Limits(file_size=_MIB, wall_seconds=60),
        )


def test_all_outputs_together_are_bounded(bench):
    with pytest.raises(StageFailed, match="the limit is 1048576"):
        bench.run(
            """
            for number in range(4):
                open(os.path.join(request.out, str(number)), "wb").write(bytes(1 << 19))
            """,
            Limits(file_size=_MIB, wall_seconds=60),
        )


def test_time_is_bounded(bench):
    with pytest.raises(StageFailed, match="time limit of 1 s") as caught:
        bench.run("time.sleep(600)", Limits(wall_seconds=1))
    assert caught.value.where["status"] == "time limit"


def test_cpu_time_is_bounded_and_counted_per_call(bench):
    busy = "end = time.process_time() + 0.7\nwhile time.process_time() < end: pass"
    limits = Limits(cpu_seconds=1, wall_seconds=60)
    for _ in range(3):  # together over the limit, each within it
        bench.run(busy, limits)
    with pytest.raises(StageFailed, match="limit of 1 s of CPU time"):
        bench.run("while True: pass", limits)


def test_no_core_is_dumped_and_rlimits_cannot_be_raised(cell):
    assert cell.run(
        """
        import resource
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
        except ValueError:
            return list(resource.getrlimit(resource.RLIMIT_CORE))
        """
    ) == [0, 0]

"""What a process tree uses, read from /proc: how many processes, how much memory, how much CPU time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Usage:
    processes: int
    threads: int
    memory: int  # bytes: private memory, shared memory, files in memory
    cpu_seconds: float


def processes(head: int) -> Iterator[int]:
    """`head` and all that descends from it. Nothing escapes: the head of a cell adopts orphans."""
    stack, seen = [head], {head}
    while stack:
        process = stack.pop()
        yield process
        for child in _children(process):
            if child not in seen:
                seen.add(child)
                stack.append(child)


def _children(process: int) -> list[int]:
    """The kernel lists children by the thread that made them."""
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 - ten times a second, on strings
            with suppress(OSError):
                found += [int(word) for word in _read(f"/proc/{process}/task/{thread}/children").split()]
    return found


def usage(head: int, memory_limit: int | None = None, scratch: tuple[str, ...] = ()) -> Usage:
    """Of the tree below `head`. `scratch` are its folders in memory, as paths inside.

    Memory is summed coarsely (what processes share after a fork counts for each), which is cheap; only where that
    passes `memory_limit` is it asked for exactly (proportional set size), which walks page tables.
    """
    family = list(processes(head))
    threads, memory, ticks = 0, 0, 0
    for process in family:
        with suppress(OSError, ValueError, IndexError):
            status = _read(f"/proc/{process}/status")
            memory += _field(status, "RssAnon:") + _field(status, "RssShmem:")
            # After the name, which may hold anything, in parentheses: fields 3 and on of proc_pid_stat(5).
            fields = _read(f"/proc/{process}/stat").rpartition(")")[2].split()
            ticks += sum(int(word) for word in fields[11:15])
            threads += int(fields[17])
    memory += (in_files := sum(_used(head, folder) for folder in scratch))
    if memory_limit is not None and memory > memory_limit:
        memory = _exactly(family, in_files)
    return Usage(len(family), threads, memory, ticks / _TICKS)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - ten times a second, for every process: no Path objects
        return file.read()


def _field(text: str, name: str) -> int:
    """Bytes behind `name` in a file of /proc that counts in kB; 0 where it is not (kernel threads, zombies)."""
    start = text.find(name)
    return int(text[start + len(name) :].split(None, 1)[0]) * _KIB if start >= 0 else 0


def _exactly(family: list[int], in_files: int) -> int:
    """A file in memory that is also mapped counts once: shared memory is whichever of the two sums is larger."""
    private, shared = 0, 0
    for process in family:
        try:
            rollup = _read(f"/proc/{process}/smaps_rollup")
        except OSError:  # ended, or a kernel that shows this to nobody else
            with suppress(OSError, ValueError):
                resident, of_files = (int(word) for word in _read(f"/proc/{process}/statm").split()[1:3])
                private += (resident - of_files) * _PAGE
            continue
        private += _field(rollup, "Pss_Anon:")
        shared += _field(rollup, "Pss_Shmem:")
    return private + max(shared, in_files)


def _used(head: int, folder: str) -> int:
    """Bytes in a folder in memory of the cell's own. While the cell is being set up its head still sees the host's
    folder of that name, and then all that lies on the host's disk would count as the worker's memory."""
    inside = f"/proc/{head}/root{folder}"
    try:
        if os.stat(inside).st_dev == os.stat(folder).st_dev:  # noqa: PTH116 - ten times a second, on strings
            return 0
        space = os.statvfs(inside)
    except OSError:
        return 0
    return (space.f_blocks - space.f_bfree) * space.f_frsize

"""A cell through bubblewrap (https://github.com/containers/bubblewrap)."""

from __future__ import annotations

import functools
import shutil
import subprocess

from dlpipe.toolchains.jail.cell import USER, Cell


@functools.cache
def program() -> str | None:
    return shutil.which("bwrap")


@functools.cache
def _options() -> str:
    """What `bwrap --help` says: versions before 0.8 have no --disable-userns."""
    assert program()
    done = subprocess.run([program() or "bwrap", "--help"], capture_output=True, text=True, timeout=10, check=False)
    return done.stdout + done.stderr


def arguments(cell: Cell, info: int) -> list[str]:
    """Bubblewrap's arguments for `cell`, without the program; `info` is the descriptor that it tells the child's id on.

    They are handed over on a descriptor, so that the command line, which the jailed process can read, names no path.
    """
    # Everything apart (network, processes, users, ...), no capability, no terminal, death with the parent.
    args = ["--unshare-all", "--unshare-user", "--uid", str(USER), "--gid", str(USER), "--hostname", "dlpipe"]
    args += ["--cap-drop", "ALL", "--new-session", "--die-with-parent", "--info-fd", str(info)]
    if "--disable-userns" in _options():
        args += ["--disable-userns"]
    size = str(cell.scratch_bytes)
    args += ["--size", size, "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev"]  # noqa: S108 - the jail's own
    args += ["--size", size, "--tmpfs", "/dev/shm"]  # noqa: S108 - the jail's own
    for device in cell.devices:
        args += ["--dev-bind", str(device), str(device)]
    for target, inside in cell.links:
        args += ["--symlink", target, inside]
    for outside, inside, writable in cell.mounts():
        args += ["--bind" if writable else "--ro-bind", str(outside), inside]
    # The root and /dev are tmpfs of bubblewrap's making: left writable they would be memory without a bound.
    return [*args, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", cell.working]

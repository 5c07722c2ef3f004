"""A user at the command line: the installed command, in a folder and a cache of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlpipe.toolchains.manager import default_cache_dir


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class User:
    """Runs `dlpipe` as a user would. `cache` is this user's own; toolchains are shared with the real one."""

    folder: Path
    cache: Path

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, "DLPIPE_CACHE_DIR": str(self.cache), "NO_COLOR": "1", "COLUMNS": "80", **(extra or {})}

    def command(self, *args: object) -> list[str]:
        return [str(Path(sys.executable).parent / "dlpipe"), *map(str, args)]

    def dlpipe(self, *args: object, timeout: float = 1200, env: Mapping[str, str] | None = None) -> Finished:
        done = subprocess.run(
            self.command(*args),
            cwd=self.folder,
            env=self.environment(env),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def ok(self, *args: object, **more: Any) -> Finished:
        done = self.dlpipe(*args, **more)
        assert done.code == 0, f"{args}: exit {done.code}\n{done.out}\n{done.err}"
        return done


def make_user(folder: Path) -> User:
    cache = folder / "cache"
    cache.mkdir(parents=True)
    shared = default_cache_dir() / "toolchains"
    shared.mkdir(parents=True, exist_ok=True)
    (cache / "toolchains").symlink_to(shared)
    (folder / "work").mkdir()
    return User(folder / "work", cache)


def kill_within(victim: User, args: tuple[object, ...], seconds: float) -> None:
    """Start the command and end its whole process tree after that long, if it has not ended itself."""
    process = subprocess.Popen(
        victim.command(*args),
        cwd=victim.folder,
        env=victim.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

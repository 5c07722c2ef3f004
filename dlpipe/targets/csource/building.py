"""C -> what a Cortex-M executes, with the compiler that is in the toolchain (zig)."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_TARGET = ("-target", "thumb-freestanding-eabihf")
_FLAGS = ("-std=c99", "-O2", "-ffreestanding", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function")


def program(cpu: str, sources: Sequence[str], folder: Path) -> Path:
    """A program that begins at `_start`. Raises RuntimeError with the compiler's words."""
    _zig(["build-exe", *sources, *_options(cpu), "-fentry=_start", "-fstrip", "--name", "program"], folder)
    return folder / "program"


def compiled(cpu: str, source: str, folder: Path) -> Path:
    """An object file."""
    _zig(["build-obj", source, *_options(cpu), "-fstrip", "--name", "object"], folder)
    return folder / "object.o"


def _options(cpu: str) -> list[str]:
    return [*_TARGET, f"-mcpu={cpu}", "-O", "ReleaseFast", "-I."]


def _zig(arguments: Sequence[str], folder: Path) -> None:
    verb, *rest = arguments
    sources = [each for each in rest if each.endswith(".c")]
    others = [each for each in rest if not each.endswith(".c")]
    cache = str(_cache())
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    command = [sys.executable, "-m", "ziglang", verb, *others, "-cflags", *_FLAGS, "--", *sources]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise RuntimeError(f"zig {verb} ended with status {done.returncode}: {done.stderr.strip()}")


@functools.cache
def _cache() -> Path:
    """zig wants a cache that it can write to: this process has its own, begun as a copy of what was prepared at
    installation."""
    folder = Path(tempfile.mkdtemp(prefix="dlpipe-zig-"))
    prepared = Path(sys.prefix) / "prepared" / "zig"
    if prepared.is_dir():
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
    return folder

"""Object files and C++ -> libraries and programs of the target, with the C compiler that is in the toolchain (zig)."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import tvm_ffi

# No build ids, no symbols, no paths: two builds in different folders are the same bytes.
_REPRODUCIBLE = ("-s", "-Wl,--build-id=none")
_CPP = ("-O2", "-std=c++17", "-fno-exceptions", "-fno-rtti")


def shared_library(zig: str, output: Path, objects: Sequence[str]) -> None:
    """Link a compiled model. Its mathematical functions come from the target's C library."""
    _cc(zig, ["-shared", "-o", str(output), *objects, "-lm"])


def runner(zig: str, output: Path, libraries: Path) -> None:
    """Build the program that runs a model, against the TVM libraries of the target in folder `libraries`."""
    sources = sorted(map(str, Path(__file__).with_name("runner").glob("*.cc")))
    headers = Path(tvm_ffi.libinfo.find_include_path())
    _cc(
        zig,
        [
            *_CPP,
            f"-I{headers}",
            f"-I{tvm_ffi.libinfo.find_dlpack_include_path()}",
            *sources,
            "-o",
            str(output),
            f"-L{libraries}",
            "-Wl,--no-as-needed",
            "-ltvm_ffi",
            "-ltvm_runtime",  # nothing in it is named: loading it registers the virtual machine
            "-Wl,--allow-shlib-undefined",  # the libraries' own needs are met on the target
            "-Wl,-rpath,$ORIGIN/lib",
        ],
    )


def _cc(zig: str, arguments: Sequence[str]) -> None:
    """Raises RuntimeError with the compiler's output."""
    cache = str(_cache())
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    command = [sys.executable, "-m", "ziglang", "cc", "-target", zig, *_REPRODUCIBLE, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise RuntimeError(f"zig cc ended with status {done.returncode}: {done.stderr.strip()}")


@functools.cache
def _cache() -> Path:
    """zig wants a cache that it can write to: this process has its own, begun as a copy of what was prepared at
    installation (3 MB for each target). Nothing that one model leaves there is seen by another run."""
    folder = Path(tempfile.mkdtemp(prefix="dlpipe-zig-"))
    prepared = Path(sys.prefix) / "prepared" / "zig"
    if prepared.is_dir():  # the toolchain for GPUs has none, and builds them when it links
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
    return folder

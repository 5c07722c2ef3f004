"""Run once when the toolchain is installed: zig's own pieces for each processor, kept for all runs.

Usage: prepare.py FOLDER CPU ...   FOLDER gets `zig/`, a cache as zig keeps it; CPU as zig names it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_SOURCE = "void _start(void) { for (;;) {} }\n"
# `h` says what was built from what, `o` holds it, `b` the description of the build; `z`, zig's own sources as parsed,
# is not needed again.
_KEPT = ("b", "h", "o")


def main(folder: Path, processors: list[str]) -> None:
    """Build a program for each, with the options of `building.py` that choose what zig builds."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "none.c").write_text(_SOURCE, encoding="ascii")
        cache = Path(scratch, "cache")
        environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
        for cpu in processors:
            command = [sys.executable, "-m", "ziglang", "build-exe", "none.c", "-target", "thumb-freestanding-eabihf"]
            command += [f"-mcpu={cpu}", "-O", "ReleaseFast", "-fentry=_start", "-fstrip", "--name", "none"]
            subprocess.run(command, cwd=scratch, env=environment, check=True)
        for name in _KEPT:
            if (cache / name).is_dir():
                shutil.copytree(cache / name, folder / "zig" / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

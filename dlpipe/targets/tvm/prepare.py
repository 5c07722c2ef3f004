"""Run once when the toolchain is installed: zig's own pieces for each target, kept for all runs.

Usage: prepare.py FOLDER TARGET ...   FOLDER gets `zig/`, a cache as zig keeps it; TARGET as zig names it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_SOURCE = "int main() { return 0; }\n"
# What stands in a cache: `h` says what was built from what, `o` holds it, `b` the description of the build. `z` are
# zig's own sources as parsed, which nothing needs once they are compiled: nine tenths of the whole.
_KEPT = ("b", "h", "o")


def main(folder: Path, targets: list[str]) -> None:
    """Link a library and a program for each target, with the options of `linking.py` that choose what zig builds."""
    with tempfile.TemporaryDirectory() as scratch:
        source, cache = Path(scratch, "none.cc"), Path(scratch, "cache")
        source.write_text(_SOURCE, encoding="ascii")
        for target in targets:
            _cc(cache, target, "-shared", "-o", f"{scratch}/none.so", str(source), "-lm")
            _cc(cache, target, "-O2", "-o", f"{scratch}/none", str(source))
        for name in _KEPT:
            shutil.copytree(cache / name, folder / "zig" / name)


def _cc(cache: Path, target: str, *arguments: str) -> None:
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-s", *arguments]  # -s: no symbols, there too
    subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

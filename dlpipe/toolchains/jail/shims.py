"""Programs that stand first on a worker's PATH and refuse: converters are known to run `pip install` by themselves.

Without a network it would fail anyway, after a minute of retries; this way it fails at once and is known for certain.
What Python code tries to reach without any program is told by `runtime/network_watch.py`.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

_NETWORK_WATCH = Path(__file__).parents[1] / "runtime" / "network_watch.py"
_REFUSED = ("pip", "pip3", "uv", "conda", "curl", "wget", "apt", "apt-get", "npm", "huggingface-cli", "hf")

# $1 ... may hold anything; one line of at most 400 characters arrives whole (PIPE_BUF is 4096 bytes).
_REPORT = """#!/bin/sh
# Written by dlpipe: refuse, and say so.
said=$(printf '%.400s' "${{0##*/}} $*" | tr '\\n\\r' '  ')
printf 'run %s\\n' "$said" > {attempts}
echo "dlpipe: refused: $said (a conversion has no network)" >&2
exit 1
"""

_GIT = """#!/bin/sh
# Written by dlpipe: only what would reach out is worth a report.
case "$1" in
clone|fetch|pull|push|ls-remote|submodule) ;;
*) exit 1 ;;
esac
"""

_PIP = '''"""Written by dlpipe: `python -m pip` and `pip.main([...])` refuse, and say so."""

import sys


def main(args=None):
    said = " ".join(["python -m pip"] + [str(word) for word in (sys.argv[1:] if args is None else args)])
    said = said.replace("\\n", " ")[:400]
    with open({attempts!r}, "w") as report:
        report.write("run " + said + "\\n")
    sys.stderr.write("dlpipe: refused: " + said + " (a conversion has no network)\\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
'''


def write(folder: Path, inside: str) -> int:
    """Fill `folder`, which the worker sees as `inside`: programs in `bin`, Python modules in `python`.

    Returns a descriptor to read attempts from, one per line: `run COMMAND` or `reach HOST:PORT`. It belongs to a FIFO,
    which holds 64 KiB at most, however often a worker tries.
    """
    attempts = folder / "attempts"
    os.mkfifo(attempts, 0o622)
    # Opened for both, so that it never reports an end, and a writer never waits for a reader to come.
    descriptor = os.open(attempts, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    (folder / "bin").mkdir()
    (folder / "python").mkdir()
    report = _REPORT.format(attempts=shlex.quote(f"{inside}/attempts"))
    for name in _REFUSED:
        _program(folder / "bin" / name, report)
    _program(folder / "bin" / "git", _GIT + report.partition("\n")[2])
    (folder / "python" / "pip.py").write_text(_PIP.format(attempts=f"{inside}/attempts"), encoding="ascii")
    shutil.copyfile(_NETWORK_WATCH, folder / "python" / "sitecustomize.py")
    return descriptor


def _program(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii")
    path.chmod(0o755)

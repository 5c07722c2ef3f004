"""Run an installing tool (uv, pip), follow what it says, and put its failures into words that help."""

from __future__ import annotations

import re
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import uv

from dlpipe.errors import ToolMissing
from dlpipe.toolchains.settings import uv_environment

_PROGRESS = re.compile(r"\s*(Downloading|Building|Collecting|Installing)\b")
_CAUSES = (  # the tool's own words -> what happened, what to do
    (
        r"No space left on device|os error 28\b|Disk quota exceeded|os error 122\b|File too large|os error 27\b",
        "the disk is full",
        "free space there and in uv's own cache (`uv cache prune`), or set DLPIPE_CACHE_DIR to a larger disk",
    ),
    (
        r"Hash mismatch|Hash-checking is enabled|DO NOT MATCH THE HASHES|--require-hashes",
        "a package is not the file that was locked",
        "do not use that package: see which index it came from (uv's and pip's own settings count), and report it",
    ),
    (
        (
            r"Failed to fetch|error sending request|dns error|[Cc]onnection (refused|reset|timed out)"
            r"|Network is unreachable|[Nn]etwork (connectivity|was) (is )?disabled|NewConnectionError|ConnectTimeout"
            r"|tunnel error|certificate|Failed to download|operation timed out"
        ),
        "a download failed",
        "check network, proxy and index URL (uv's and pip's own settings count), then repeat",
    ),
    (
        (
            r"no version of|not found in the package registry|No matching distribution|no wheels with a matching"
            r"|no usable wheels|unsatisfiable|No solution found"
        ),
        "a locked package is not to be had for this machine",
        "the package index lacks it, or has no build for this platform: check the index URL",
    ),
)


def uv_command(*arguments: str) -> list[str]:
    """A command line of dlpipe's own uv. Start it under `settings.uv_environment()`."""
    return [uv.find_uv_bin(), "--no-progress", "--color", "never", *arguments]


def run_uv(
    arguments: Sequence[str], *, what: str, say: Callable[[str], None], environ: Mapping[str, str] | None = None
) -> None:
    """Run uv, by default under the user's own settings. `what` says what it is for."""
    run(uv_command(*arguments), uv_environment() if environ is None else environ, what=what, say=say)


def run(command: Sequence[str], environ: Mapping[str, str], *, what: str, say: Callable[[str], None]) -> None:
    """Run `command` to its end; its lines of progress go to `say`. Raises ToolMissing with cause and remedy."""
    tail: deque[str] = deque(maxlen=60)
    with subprocess.Popen(
        command,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                tail.append(line.rstrip())
                if _PROGRESS.match(line):
                    say(line.strip())
        except BaseException:  # Ctrl-C: the folder is removed next, and nothing may still write to it
            process.kill()
            raise
    if process.returncode:
        raise _explain(what, "\n".join(tail), process.returncode)


def _explain(what: str, output: str, status: int) -> ToolMissing:
    if status == -signal.SIGXFSZ:  # a limit on the size of files: to the tool it is a full disk
        output += "File too large"
    lines = [line for line in output.splitlines() if line.strip()]
    detail = "\n".join(lines[-8:]) or f"it ended with status {status} and said nothing"
    for pattern, cause, hint in _CAUSES:
        if re.search(pattern, output):
            return ToolMissing(f"{what}: {cause}\n{detail}", hint=hint)
    return ToolMissing(f"{what}: it failed\n{detail}", hint="dlpipe toolchain doctor")

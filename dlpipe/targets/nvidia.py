"""Which NVIDIA GPUs this machine has: for the host, which loads no library of theirs."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

from dlpipe.contracts.backend import Target

_SECONDS = 20


def capability(target: Target) -> str | None:
    """The compute capability of a target, "8.6"; None where it is no NVIDIA GPU."""
    if target.arch != "cuda":
        return None
    digits = next((name.removeprefix("sm_") for name in target.isa if name.startswith("sm_")), "")
    return f"{digits[:-1]}.{digits[-1]}" if len(digits) > 1 and digits.isdigit() else None


def is_here(target: Target) -> bool:
    """Whether this machine has a GPU of just that compute capability, by nvidia-smi, which comes with the driver."""
    return capability(target) in _capabilities()


def needed(target: Target) -> str:
    """What is missing, in words."""
    here = ", ".join(sorted(_capabilities()))
    return f"it needs an NVIDIA GPU of compute capability {capability(target)}, and this machine has " + (
        f"others ({here})" if here else "none"
    )


@cache
def _capabilities() -> frozenset[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return frozenset()
    asked = [program, "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return frozenset()
    return frozenset(done.stdout.split()) if done.returncode == 0 else frozenset()

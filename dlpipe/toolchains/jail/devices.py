"""Devices of this machine: a worker sees those whose kind its toolchain asks for (`devices` in toolchain.toml)."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

_NVIDIA = ("/dev/nvidia*", "/dev/nvidia-caps/*")
KINDS: Mapping[str, tuple[str, ...]] = {"nvidia": _NVIDIA, "vulkan": (*_NVIDIA, "/dev/dri/renderD*")}
_CHOICE = "CUDA_VISIBLE_DEVICES"  # which of the GPUs the user leaves to this process


def nodes(kinds: Iterable[str]) -> tuple[Path, ...]:
    """The device files of these kinds that there are: none on a machine without such a device."""
    found = [path for kind in kinds for pattern in KINDS[kind] for path in glob.glob(pattern)]  # noqa: PTH207 - from /
    return tuple(Path(path) for path in sorted(found) if stat.S_ISCHR(os.stat(path).st_mode))  # noqa: PTH116 - as above


def environment(kinds: Iterable[str]) -> dict[str, str]:
    """What else of the host's environment concerns them."""
    return {_CHOICE: os.environ[_CHOICE]} if "nvidia" in kinds and _CHOICE in os.environ else {}

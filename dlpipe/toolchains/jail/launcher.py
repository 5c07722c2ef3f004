"""The two kinds of cell that `launch.py` sets up: in namespaces of its own, or plain."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from dlpipe.toolchains.jail.cell import USER, Cell

_PROGRAM = Path(__file__).with_name("launch.py")


def command(spec: int, info: int) -> list[str]:
    """The launcher, told on which descriptors its specification comes and the answer goes."""
    return [sys.executable, "-I", "-S", str(_PROGRAM), str(spec), str(info)]


def namespaces(cell: Cell, root: Path) -> bytes:
    """`root` is an empty folder of the host, over which the cell's own root is mounted (nobody else sees it there)."""
    spec = {
        **_common(cell),
        "mode": "namespaces",
        "root": str(root),
        "user": USER,
        "scratch_bytes": cell.scratch_bytes,
        "devices": [str(device) for device in cell.devices],
        "links": cell.links,
        "mounts": [(str(outside), inside, writable) for outside, inside, writable in cell.mounts()],
    }
    return json.dumps(spec).encode()


def plain(cell: Cell) -> bytes:
    return json.dumps({**_common(cell), "mode": "plain"}).encode()


def _common(cell: Cell) -> dict[str, object]:
    return {"argv": cell.argv, "working": cell.working, "parent": os.getpid()}

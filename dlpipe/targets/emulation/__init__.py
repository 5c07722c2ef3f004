"""How an artefact is executed where this machine's own processor cannot: under qemu-user, in a foreign Debian root."""

from __future__ import annotations

from pathlib import Path

from dlpipe.contracts.backend import Target
from dlpipe.contracts.call import Call

_PYTHON = {"root-arm64": "python3.11"}
_MULTIARCH = {"aarch64": "aarch64-linux-gnu"}
_EMULATOR = {"aarch64": "qemu-aarch64", "armv7l": "qemu-arm", "riscv64": "qemu-riscv64"}


def emulated_run(target: Target, guest: Path, wheels: str) -> Call | None:
    """Run `guest` (a Python program, see worker.py for how it is called) with the packages of toolchain `wheels`.

    Inputs of the call: artifact, samples. None where this target has no root with a Python.
    """
    if target.runner != "qemu-user" or target.root not in _PYTHON or target.arch not in _MULTIARCH:
        return None
    return Call(
        toolchain="base",
        worker=Path(__file__).with_name("worker.py"),
        operation="run",
        params={
            "cpu": target.emulator_cpu or "max",
            "emulator": _EMULATOR[target.arch],
            "guest": guest.read_text(encoding="utf-8"),  # its text, so that it is part of the stage's key
            "machine": target.arch,
            "multiarch": _MULTIARCH[target.arch],
            "python": _PYTHON[target.root],
            "root": target.root,
            "wheels": wheels,
        },
        resources=("qemu-user", target.root, wheels),
    )

"""How an artefact is executed where this machine itself cannot: under qemu-user in a foreign Debian root, or on a
software device that a Debian root brings."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Backend, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor that programs are run for here."""

    emulator: str
    multiarch: str  # the folder of its libraries, as Debian names it


MACHINES: Mapping[str, Machine] = {
    "aarch64": Machine("qemu-aarch64", "aarch64-linux-gnu"),
    "armv7l": Machine("qemu-arm", "arm-linux-gnueabihf"),
    "riscv64": Machine("qemu-riscv64", "riscv64-linux-gnu"),
}
_WORKER = Path(__file__).with_name("worker.py")
_DRIVER = "usr/share/vulkan/icd.d/lavapipe.json"
_PYTHON = {"root-arm64": "python3.11", "root-armhf": "python3.11", "root-riscv64": "python3.13"}


def emulated_run(target: Target, guest: Path, wheels: str, *beside: Path) -> Call | None:
    """Run `guest`, a program that ends in kit's `executing.main(...)`, with the packages of toolchain `wheels`.
    `beside`: the modules next to it that it imports.

    Inputs of the call: artifact, samples. None where this target has no root with a Python.
    """
    if target.runner != "qemu-user" or target.root not in _PYTHON or target.arch not in MACHINES:
        return None
    machine = MACHINES[target.arch]
    params = {
        "cpu": target.emulator_cpu or "max",
        "emulator": machine.emulator,
        "machine": target.arch,
        "multiarch": machine.multiarch,
        "python": _PYTHON[target.root],
        "root": target.root,
        "wheels": wheels,
        **_code(guest, *beside),
    }
    return Call("base", _WORKER, "run", params, resources=("qemu-user", target.root, wheels))


def program_call(tool: Backend, target: Target, variant: str) -> Call | None:
    """What would run an artefact of `tool` under emulation, for its params "guest" and "code": the Python program that
    loads and calls the artefact, which is the same for every processor. None where the backend has none."""
    emulated = replace(target, arch="aarch64", runner="qemu-user", root="root-arm64", emulator_cpu="max")
    call = tool.run_call(emulated, variant)
    return call if call is not None and "guest" in call.params else None


def vulkan_run(guest: Path, wheels: str, *beside: Path) -> Call | None:
    """The same on Mesa's lavapipe, a Vulkan device in software, for a program that says in its proof which device it
    was (`ran_on`). Python and the C library are lavapipe's own; `wheels` are of this machine's processor."""
    folders = {"VK_DRIVER_FILES": _DRIVER, "VK_ICD_FILENAMES": _DRIVER}  # the new name, and the loader's of 2022
    return _device_run("lavapipe", guest, wheels, beside, {"MESA_SHADER_CACHE_DISABLE": "true"}, folders)


def opencl_run(guest: Path, wheels: str, *beside: Path) -> Call | None:
    """The same on PoCL, an OpenCL device in software."""
    # In the jail there is no /sys, where it would look for the processor and its memory.
    machine = {"HWLOC_SYNTHETIC": "pack:1 [numa(memory=4294967296)] core:1 pu:1"}
    alone = {"POCL_KERNEL_CACHE": "0", "POCL_MAX_PTHREAD_COUNT": "1", **machine}
    return _device_run("pocl", guest, wheels, beside, alone, {"OCL_ICD_VENDORS": "etc/OpenCL/vendors"})


def _device_run(
    root: str,
    guest: Path,
    wheels: str,
    beside: tuple[Path, ...],
    environment: Mapping[str, str],
    folders: Mapping[str, str],
) -> Call | None:
    if platform.machine() != "x86_64":
        return None
    params = {
        "emulator": None,
        "environment": environment,
        "folders": folders,
        "machine": "x86_64",
        "multiarch": "x86_64-linux-gnu",
        "python": "python3.11",
        "root": root,
        "wheels": wheels,
        **_code(guest, *beside),
    }
    return Call("base", _WORKER, "run", params, resources=(root, wheels))


def _code(guest: Path, *beside: Path) -> dict[str, Any]:
    code = guest, *beside, KIT / "executing.py"  # as text, so that it is part of the stage's key
    return {
        "code": {f"{path.parent.name}/{path.name}": path.read_text(encoding="utf-8") for path in code},
        "guest": f"{guest.parent.name}.{guest.stem}",
    }

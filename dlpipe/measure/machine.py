"""What a timing depends on beside the program: part of its cache key, and shown beside every figure."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

Fingerprint = dict[str, str | int | bool | tuple[str, ...] | None]

_CPU_NAMES = ("model name", "Model", "Hardware", "cpu model", "uarch")  # x86, ARM, older ARM, MIPS, RISC-V
_FLAG_NAMES = ("flags", "Features", "isa")


def fingerprint(threads: int = 1, *, root: Path = Path("/")) -> Fingerprint:
    """CPU model and flags, cpuset, kernel, governor, and the threads a run may use. The same on every call.

    What a system does not tell is None. root: where `proc` and `sys` are found.
    """
    cpu = _cpuinfo(_text(root / "proc/cpuinfo"))
    flags = next((cpu[name] for name in _FLAG_NAMES if name in cpu), "")
    return {
        "cpu": next((cpu[name] for name in _CPU_NAMES if name in cpu), None) or platform.processor() or None,
        "architecture": platform.machine(),
        "flags": tuple(sorted(set(re.split(r"[\s_]+", flags)) - {""})),
        "cpuset": ",".join(map(str, sorted(os.sched_getaffinity(0)))) if hasattr(os, "sched_getaffinity") else None,
        "cpus": os.cpu_count(),
        "cpu_quota": _text(root / "sys/fs/cgroup/cpu.max") or None,
        "kernel": platform.release(),
        "system": platform.system(),
        "governor": _text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or None,
        "virtualised": "hypervisor" in flags.split(),
        "threads": threads,
    }


def busy_seconds(*, root: Path = Path("/")) -> dict[int, float] | None:
    """CPU -> seconds since the start of the system that it was at work, or taken by a hypervisor; of the CPUs that this
    process may use. None where the system does not tell. Source: proc_stat(5)."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    ours, ticks = os.sched_getaffinity(0), os.sysconf("SC_CLK_TCK")
    found = {}
    for line in _text(root / "proc/stat").splitlines():
        name, *fields = line.split()
        if re.fullmatch(r"cpu\d+", name) and int(name[3:]) in ours:
            numbers = [int(field) for field in fields]
            idle = sum(numbers[3:5])  # idle, iowait; guests are within user and nice
            found[int(name[3:])] = (sum(numbers[:8]) - idle) / ticks
    return found or None


def machine_name(machine: Fingerprint) -> str:
    """One short line for people, e.g. "Intel(R) Xeon(R) (x86_64, 2 of 8 CPUs, virtualised)"."""
    cpuset = machine["cpuset"]
    count = len(cpuset.split(",")) if isinstance(cpuset, str) else machine["cpus"]
    used = f"{count} CPUs" if count == machine["cpus"] else f"{count} of {machine['cpus']} CPUs"
    details = [str(machine["architecture"]), used] + (["virtualised"] if machine["virtualised"] else [])
    return f"{machine['cpu'] or 'unknown CPU'} ({', '.join(details)})"


def _cpuinfo(text: str) -> dict[str, str]:
    """The first processor's entries."""
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""

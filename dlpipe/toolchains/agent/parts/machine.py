"""What the board is: as its system tells it."""

import re
from pathlib import Path
from typing import Optional

CPUINFO = "/proc/cpuinfo"
TREE = "/proc/device-tree/model"  # of a device tree: the name of the whole board, as Arm's processors have none
GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"  # how its clock follows the load


def entry(names: str, otherwise: str, info: str = CPUINFO) -> str:
    """What Linux says of the first processor under one of these names (a regular expression)."""
    found = re.search(r"(?m)^(?:%s)[ \t]*:[ \t]*(\S.*)$" % names, told(info))
    return found.group(1).strip() if found else otherwise


def processor(info: str = CPUINFO, tree: str = TREE) -> str:
    """Its name; else that of the board; empty where the system tells neither."""
    return entry("model name|Model|Hardware|cpu model|uarch", "", info) or told(tree)


def governor(path: str = GOVERNOR) -> Optional[str]:
    """None where the system has none: its clock is fixed, or a hypervisor's."""
    return told(path) or None


def told(path: str) -> str:
    """Empty where there is no such file."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""

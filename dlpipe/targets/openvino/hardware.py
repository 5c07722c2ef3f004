"""What this machine has of that which OpenVINO computes on. Host side: looked up, nothing is loaded."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_INTEL = "0x8086"
_VENDORS = {"GPU": "class/drm/renderD*/device/vendor", "NPU": "class/accel/accel*/device/vendor"}
_AVX512 = {"avx512f", "avx512bw", "avx512dq", "avx512vl"}  # what its bf16 kernels want; or the conversions of AVX
_SYS, _CPUINFO = Path("/sys"), Path("/proc/cpuinfo")


def has(device: str) -> bool:
    """device: "GPU" or "NPU", of Intel's."""
    return any(file.read_text().strip() == _INTEL for file in _SYS.glob(_VENDORS[device]))


@cache
def computes_bf16() -> bool:
    found = re.search(r"(?m)^flags\s*:(.*)$", _CPUINFO.read_text(errors="replace"))
    flags = set(found[1].split()) if found else set()
    return flags >= _AVX512 or "avx_ne_convert" in flags

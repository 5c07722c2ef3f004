"""x86-64: each instruction's CPUID features, as iced-x86 knows them, in Linux's names."""

from collections.abc import Iterator
from importlib.metadata import version

import iced_x86

TOOL = "iced-x86 " + version("iced-x86")

# Names that Linux spells in another way than iced does.
_LINUX = {
    "SSE3": "pni",
    "LZCNT": "abm",
    "SHA": "sha_ni",
    "AVX512_VBMI": "avx512vbmi",
    "AVX512_IFMA": "avx512ifma",
    "CMPXCHG16B": "cx16",
    "PCLMULQDQ": "pclmulqdq",
}
# What every 64-bit processor has, or passes over as a no-operation where it has it not.
_BASE = {
    *("INTEL8086", "INTEL186", "INTEL286", "INTEL386", "INTEL486", "X64", "CMOV", "CPUID", "CX8", "FPU", "FPU287"),
    *("FPU387", "FXSR", "MMX", "MULTIBYTENOP", "PAUSE", "TSC", "SYSCALL", "CET_IBT", "CET_SS", "CLFSH", "PREFETCHW"),
    "MSR",
}
_NAMES = {value: name for name, value in vars(iced_x86.CpuidFeature).items() if isinstance(value, int)}


def extensions(address: int, code: bytes) -> Iterator[tuple[int, str]]:
    """(address, extension) of every instruction that needs one."""
    known: dict[int, tuple[str, ...]] = {}
    for instruction in iced_x86.Decoder(64, code, ip=address):
        kind = instruction.code
        if kind not in known:
            features = (_NAMES[each] for each in instruction.cpuid_features())
            known[kind] = tuple(_LINUX.get(each, each.lower()) for each in features if each not in _BASE)
        for each in known[kind]:
            yield instruction.ip, each

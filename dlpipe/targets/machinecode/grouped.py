"""Arm and RISC-V: each instruction's groups, as capstone knows them (LLVM's predicates), in Linux's names."""

import struct
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version

import capstone

TOOL = "capstone " + version("capstone")

_A64 = {
    "HasFPARMv8": "fp",
    "HasNEON": "asimd",
    "HasNEONorSME": "asimd",
    "HasFullFP16": "asimdhp",
    "HasFP16FML": "asimdfhm",
    "HasDotProd": "asimddp",
    "HasRDM": "asimdrdm",
    "HasComplxNum": "fcma",
    "HasJS": "jscvt",
    "HasFRInt3264": "frint",
    "HasMatMulInt8": "i8mm",
    "HasBF16": "bf16",
    "HasLSE": "atomics",
    "HasRCPC": "lrcpc",
    "HasRCPC_IMMO": "ilrcpc",
    "HasFlagM": "flagm",
    "HasCRC": "crc32",
    "HasAES": "aes",
    "HasSHA2": "sha2",
    "HasSHA3": "sha3",
    "HasSM4": "sm4",
    "HasSVE": "sve",
    "HasSVEorSME": "sve",
    "HasSVE2": "sve2",
    "HasSVE2orSME": "sve2",
    "HasMatMulFP32": "svef32mm",
    "HasMatMulFP64": "svef64mm",
    "HasSME": "sme",
    "HasSME2": "sme2",
    "HasMOPS": "mops",
    "HasCSSC": "cssc",
    "HasMTE": "mte",
}
_A32 = {
    "HasVFP2": "vfp",
    "HasVFP3": "vfpv3",
    "HasVFP4": "vfpv4",
    "HasNEON": "neon",
    "HasDivideInARM": "idiva",
    "HasDivideInThumb": "idivt",
    "HasFPARMv8": "asimd",
    "HasFullFP16": "asimdhp",
    "HasDotProd": "asimddp",
    "HasMatMulInt8": "i8mm",
    "HasBF16": "asimdbf16",
    "HasCRC": "crc32",
    "HasAES": "aes",
    "HasSHA2": "sha2",
}
_RV64 = {
    "HasStdExtM": "m",
    "HasStdExtMOrZmmul": "m",
    "HasStdExtA": "a",
    "HasStdExtF": "f",
    "HasStdExtD": "d",
    "HasStdExtC": "c",
    "HasStdExtCOrZca": "c",
    "HasStdExtCOrZcd": "c",
    "HasStdExtZfh": "zfh",
    "HasStdExtZba": "zba",
    "HasStdExtZbb": "zbb",
    "HasStdExtZbbOrZbkb": "zbb",
    "HasStdExtZbc": "zbc",
    "HasStdExtZbs": "zbs",
    "HasStdExtZfa": "zfa",
    "HasStdExtZicond": "zicond",
    "HasVInstructions": "v",
    "HasVInstructionsI64": "v",
    "HasVInstructionsAnyF": "v",
    "HasStdExtZvbb": "zvbb",
    "HasStdExtZfhOrZvfh": "zvfh",
}


def extensions_a64(address: int, code: bytes) -> Iterator[tuple[int, str]]:
    """(address, extension) of every instruction that needs one."""
    engine = capstone.Cs(capstone.CS_ARCH_AARCH64, capstone.CS_MODE_LITTLE_ENDIAN)
    yield from _words(engine, _A64, address, code, frozenset())


def extensions_a32(address: int, code: bytes) -> Iterator[tuple[int, str]]:
    """The same of code in the Arm (not Thumb) encoding. Its constants lie between the instructions, and are known by
    the loads that read them."""
    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_ARM | capstone.CS_MODE_V8)
    yield from _words(engine, _A32, address, code, frozenset(_constants(address, code)))


def extensions_t32(address: int, code: bytes) -> Iterator[tuple[int, str]]:
    """The same of Arm's Thumb encoding, where the five highest bits of an instruction tell its length."""
    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_V8)
    yield from _halves(engine, _A32, address, code, lambda first: first >> 11 in (0b11101, 0b11110, 0b11111))


def extensions_rv64(address: int, code: bytes) -> Iterator[tuple[int, str]]:
    """The same; the two lowest bits of an instruction tell its length."""
    engine = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC)
    yield from _halves(engine, _RV64, address, code, lambda first: first & 3 == 3)


def _halves(
    engine: capstone.Cs, groups: Mapping[str, str], address: int, code: bytes, is_long: Callable[[int], bool]
) -> Iterator[tuple[int, str]]:
    """Instructions of two or four bytes."""
    known = _Known(engine, groups)
    offset = 0
    while offset + 2 <= len(code):
        length = 4 if is_long(int.from_bytes(code[offset : offset + 2], "little")) else 2
        for each in known[code[offset : offset + length]]:
            yield address + offset, each
        offset += length


def _words(
    engine: capstone.Cs, groups: Mapping[str, str], address: int, code: bytes, constants: frozenset[int]
) -> Iterator[tuple[int, str]]:
    known = _Known(engine, groups)
    for offset in range(0, len(code) - 3, 4):
        if address + offset not in constants:
            for each in known[code[offset : offset + 4]]:
                yield address + offset, each


class _Known(dict[bytes, tuple[str, ...]]):
    """An instruction's bytes -> the extensions that it needs. Programs repeat themselves: each is decoded once."""

    def __init__(self, engine: capstone.Cs, groups: Mapping[str, str]) -> None:
        super().__init__()
        engine.detail = True
        self._engine, self._groups = engine, groups

    def __missing__(self, code: bytes) -> tuple[str, ...]:
        found = set()
        for instruction in self._engine.disasm(code, 0, 1):
            names = {self._engine.group_name(group) for group in instruction.groups}
            found = {self._groups[name] for name in names if name in self._groups}
        self[code] = tuple(sorted(found))
        return self[code]


def _constants(address: int, code: bytes) -> Iterator[int]:
    """Addresses of the words that LDR and VLDR read relative to the program counter (two instructions ahead)."""
    for offset in range(0, len(code) - 3, 4):
        (word,) = struct.unpack_from("<I", code, offset)
        sign = 1 if word & 1 << 23 else -1
        if word & 0x0F7F0000 == 0x051F0000:  # LDR Rt, [PC, #+/-imm12]
            yield address + offset + 8 + sign * (word & 0xFFF)
        elif word & 0x0F3F0E00 == 0x0D1F0A00:  # VLDR Sd or Dd, [PC, #+/-imm8 * 4]
            place = address + offset + 8 + sign * (word & 0xFF) * 4
            yield from (place, place + 4)

"""ELF files, alone or in a zip archive, as code with names."""

import bisect
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dlpipe_worker import Refused
from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

_MAGIC = b"\x7fELF"
_ZIP = b"PK\x03\x04"
_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64", "EM_ARM": "armv7l", "EM_RISCV": "riscv64"}


@dataclass(frozen=True)
class Code:
    """The executable sections of one file. `machine` as `uname -m` says it; `thumb`: in Arm's shorter encoding."""

    name: str
    machine: str
    sections: tuple[tuple[int, bytes], ...]  # address, content
    symbols: tuple[tuple[int, int, str], ...]  # start, size, name; sorted
    thumb: bool

    def where(self, address: int) -> str:
        """The function that holds an address; of one without a name, the named one before it."""
        index = bisect.bisect_right(self.symbols, address, key=lambda symbol: symbol[0]) - 1
        if index < 0:
            return hex(address)
        start, size, name = self.symbols[index]
        return f"{name}+{address - start:#x}" if address < start + size else f"{address:#x} (behind {name})"


def codes(path: Path, name: str) -> Iterator[Code]:
    """Of a file, or of each ELF file in it when it is a zip archive (a .pt2 is one). None of anything else."""
    with path.open("rb") as file:
        head = file.read(4)
    if head == _MAGIC:
        yield _read(path.read_bytes(), name)
    elif head == _ZIP:
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.namelist()):
                content = archive.read(member)
                if content.startswith(_MAGIC):
                    yield _read(content, f"{name}:{member}")


def _read(content: bytes, name: str) -> Code:
    try:
        elf = ELFFile(io.BytesIO(content))
        machine = _MACHINES.get(elf["e_machine"])
        if machine is None:
            raise Refused(f"{name} is code for {elf['e_machine']}, which is not read here", kind="unsupported")
        sections: list[tuple[int, bytes]] = []
        symbols: set[tuple[int, int, str]] = set()
        for section in elf.iter_sections():
            if section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR and section["sh_type"] == "SHT_PROGBITS":
                sections.append((section["sh_addr"], section.data()))
            elif isinstance(section, SymbolTableSection):
                symbols |= {
                    (each["st_value"], each["st_size"], each.name)
                    for each in section.iter_symbols()
                    if each["st_info"]["type"] == "STT_FUNC" and each["st_value"]
                }
    except ELFError as error:
        raise Refused(f"{name} is a damaged ELF file: {error}", kind="unsupported") from error
    thumb = machine == "armv7l" and any(start & 1 for start, _, _ in symbols)  # an address says so by its lowest bit
    named = sorted((start - (start & 1), size, each) for start, size, each in symbols)
    return Code(name, machine, tuple(sections), tuple(named), thumb)

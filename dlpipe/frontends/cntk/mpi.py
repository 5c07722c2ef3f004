"""What stands in for the MPI library (OpenMPI 1.x) that CNTK is linked against and that no package carries any more.

CNTK on one machine never calls MPI, but the loader wants the two libraries and the addresses of a few of their
variables. So two shared objects that hold nothing but those are written (the ELF specification's minimum: a symbol
table, its hash table, a page of zeros) and loaded first. A call into them ends the process. Python 3.6, x86-64.
"""

import ctypes
import os
import struct
import sys
import tempfile
from pathlib import Path
from typing import List, Tuple

# Library -> (its variables and what else is referred to by address).
_LIBRARIES = (
    (
        "libmpi.so.12",
        (
            "ompi_mpi_char",
            "ompi_mpi_comm_null",
            "ompi_mpi_comm_world",
            "ompi_mpi_double",
            "ompi_mpi_float",
            "ompi_mpi_int",
            "ompi_mpi_long_long_int",
            "ompi_mpi_op_sum",
        ),
    ),
    (
        "libmpi_cxx.so.1",
        (
            "_ZN3MPI3Win4FreeEv",
            "_ZN3MPI4CommC2Ev",
            "_ZN3MPI8Datatype4FreeEv",
            "ompi_mpi_cxx_op_intercept",
            "ompi_op_set_cxx_callback",
        ),
    ),
)
_PAGE = 0x1000
_ROOM = 1024  # bytes of zeros for each variable: more than any of OpenMPI's has


def load() -> None:
    """Make the libraries present in this process. Functions are bound when they are called, which none is."""
    sys.setdlopenflags(os.RTLD_LAZY | os.RTLD_GLOBAL)
    with tempfile.TemporaryDirectory() as folder:
        for name, symbols in _LIBRARIES:
            path = Path(folder, name)
            path.write_bytes(shared_object(name, symbols))
            ctypes.CDLL(str(path), mode=os.RTLD_LAZY | os.RTLD_GLOBAL)


def shared_object(name: str, symbols: Tuple[str, ...]) -> bytes:
    """An ELF shared object of that name whose symbols are variables full of zeros."""
    strings = b"\0" + b"".join(each.encode() + b"\0" for each in (name, *symbols))
    places = {each: strings.index(b"\0" + each.encode() + b"\0") + 1 for each in (name, *symbols)}
    table = struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0)
    start = 2 * _PAGE + 0x400  # of the zeros, behind the dynamic section
    for index, each in enumerate(symbols):
        # global, an object, in some section (1 stands for any)
        table += struct.pack("<IBBHQQ", places[each], 0x11, 0, 1, start + index * _ROOM, _ROOM)
    count = len(symbols) + 1
    chain = [0] + [index + 1 if index + 1 < count else 0 for index in range(1, count)]
    hashes = struct.pack("<III", 1, count, 1) + struct.pack("<{}I".format(count), *chain)  # one bucket holds all
    at = 0x200
    offsets: List[int] = []
    body = b""
    for part in (table, hashes, strings):
        offsets.append(at + len(body))
        body += part + b"\0" * (-len(part) % 16)
    tags = ((14, places[name]), (4, offsets[1]), (5, offsets[2]), (6, offsets[0]), (10, len(strings)), (11, 24), (0, 0))
    dynamic = b"".join(struct.pack("<qQ", tag, value) for tag, value in tags)  # SONAME HASH STRTAB SYMTAB STRSZ SYMENT
    zeros = 0x400 + len(symbols) * _ROOM
    ident = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0)
    segments = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, _PAGE, _PAGE, _PAGE)
    segments += struct.pack("<IIQQQQQQ", 1, 6, _PAGE, 2 * _PAGE, 2 * _PAGE, len(dynamic), zeros, _PAGE)
    segments += struct.pack("<IIQQQQQQ", 2, 6, _PAGE, 2 * _PAGE, 2 * _PAGE, len(dynamic), len(dynamic), 8)
    first = (header + segments).ljust(at, b"\0") + body
    return first.ljust(_PAGE, b"\0") + dynamic

"""CUDA C++ -> a cubin for one compute capability, by NVIDIA's run-time compiler, which needs neither GPU nor driver."""

import ctypes
import sys
from pathlib import Path
from typing import Any

_OPTIONS = ("--std=c++17", "--device-int128", "--disable-warnings")


def cubin(source: str, architecture: str) -> bytes:
    """`architecture` as CUDA has it: sm_86. Raises RuntimeError with what the compiler says."""
    home = next(Path(sys.prefix).glob("lib/python3*/site-packages/nvidia/cu13"))
    library = ctypes.CDLL(str(home / "lib" / "libnvrtc.so.13"))
    program = ctypes.c_void_p()
    status = library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None)
    if status:
        raise RuntimeError(f"NVRTC does not begin: status {status}")
    folders = [f"-I{home / 'include'}", f"-I{home / 'include' / 'cccl'}"]
    options = [each.encode() for each in (f"--gpu-architecture={architecture}", *_OPTIONS, *folders)]
    status = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    if status:
        said = _read(library, program, "ProgramLog").decode(errors="replace").strip()
        raise RuntimeError(f"NVRTC does not compile TVM's kernels for {architecture}: {said[:400]}")
    return _read(library, program, "CUBIN")


def _read(library: Any, program: Any, what: str) -> bytes:
    size = ctypes.c_size_t()
    getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(library, f"nvrtcGet{what}")(program, text)
    return text.raw

"""TensorRT's Python module, of either kind. Also part of an artefact: its sample program loads an engine with it."""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

# kind -> (name for people, module of the bindings, their package, package of the libraries, libraries in load order)
_KINDS = {
    "rtx": (
        "tensorrt-rtx",
        "tensorrt_rtx_bindings.tensorrt_rtx",
        "tensorrt-rtx-cu13-bindings",
        "tensorrt_rtx_libs",
        ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1"),
    ),
    "full": (
        "tensorrt",
        "tensorrt_bindings.tensorrt",
        "tensorrt-cu13-bindings",
        "tensorrt_libs",
        ("libnvinfer.so.11", "libnvonnxparser.so.11"),
    ),
}


def load(kind: str) -> tuple[Any, str]:
    """(the module, its name with version). Raises RuntimeError where TensorRT's libraries are not to be found."""
    name, module, package, libraries, files = _KINDS[kind]
    found = importlib.util.find_spec(libraries)
    folder = Path(str(found.origin)).parent if found is not None and found.origin else None
    for file in files:
        try:
            ctypes.CDLL(str(folder / file) if folder else file, ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise RuntimeError(f"needs the libraries of NVIDIA {name}, which are not here: {error}") from error
    return importlib.import_module(module), f"{name} {importlib.metadata.version(package)}"

"""One NVIDIA GPU by the driver's own interface (libcuda), which comes with the driver and needs no CUDA toolkit.

CUDA Driver API: device management, contexts, memory, streams. Used by workers, and by an artefact's sample program.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
_NAME_BYTES = 256


class Device:
    """A GPU with its primary context, the one that every library in this process shares. `name` and `capability`
    ("8.6") are what the driver says. Raises RuntimeError where there is no driver or no GPU."""

    def __init__(self, ordinal: int = 0) -> None:
        try:
            self._driver = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise RuntimeError(f"there is no NVIDIA driver on this machine: {error}") from error
        self._call("cuInit", 0)
        count = ctypes.c_int()
        self._call("cuDeviceGetCount", ctypes.byref(count))
        if ordinal >= count.value:
            raise RuntimeError(
                f"there are {count.value} NVIDIA GPUs that this process may use, and number {ordinal} is asked for"
            )
        self._device = ctypes.c_int()
        self._call("cuDeviceGet", ctypes.byref(self._device), ordinal)
        name = ctypes.create_string_buffer(_NAME_BYTES)
        self._call("cuDeviceGetName", name, _NAME_BYTES, self._device)
        self.name = name.value.decode("utf-8", "replace")
        self.capability = f"{self._attribute(_MAJOR)}.{self._attribute(_MINOR)}"
        context = ctypes.c_void_p()
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), self._device)
        self._call("cuCtxSetCurrent", context)
        stream = ctypes.c_void_p()
        self._call("cuStreamCreate", ctypes.byref(stream), 0)
        self.stream = int(stream.value or 0)

    def must_be(self, capability: str) -> None:
        """Raises RuntimeError for a GPU of another compute capability."""
        if self.capability != capability:
            raise RuntimeError(
                f"this GPU ({self.name}) has compute capability {self.capability}, and the artefact is for {capability}"
            )

    def allocate(self, size: int) -> int:
        """The address of `size` bytes on the GPU. They are freed with the process."""
        address = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(1, size)))
        return address.value

    def upload(self, address: int, array: Array) -> None:
        whole = np.ascontiguousarray(array)
        self._call("cuMemcpyHtoD_v2", ctypes.c_uint64(address), ctypes.c_void_p(whole.ctypes.data), _size(whole))

    def download(self, address: int, array: Array) -> None:
        """Into `array`, which is contiguous."""
        self._call("cuMemcpyDtoH_v2", ctypes.c_void_p(array.ctypes.data), ctypes.c_uint64(address), _size(array))

    def synchronise(self) -> None:
        """Wait for what was put into the stream."""
        self._call("cuStreamSynchronize", ctypes.c_void_p(self.stream))

    def _attribute(self, number: int) -> int:
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), number, self._device)
        return value.value

    def _call(self, function: str, *arguments: Any) -> None:
        status = getattr(self._driver, function)(*arguments)
        if status:
            text = ctypes.c_char_p()
            self._driver.cuGetErrorString(status, ctypes.byref(text))
            said = (text.value or b"unknown error").decode("utf-8", "replace")
            raise RuntimeError(f"the NVIDIA driver says to {function}: {said} ({status})")


def _size(array: Array) -> ctypes.c_size_t:
    return ctypes.c_size_t(array.nbytes)

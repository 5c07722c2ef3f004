"""One OpenCL device by the loader of OpenCL drivers (libOpenCL), which comes with them: it needs no SDK, no package.

Used by workers, and by an artefact's sample program: NumPy and the standard library.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_ANY_KIND = 0xFFFFFFFF  # CL_DEVICE_TYPE_ALL
_READ_WRITE, _COPY = 1, 1 << 5
_NAME, _DRIVER = 0x102B, 0x102D
_PLATFORM_NAME = 0x0902
_BUILD_LOG = 0x1183
_SIZE, _POINTER, _INT = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int32
_MAKING = ("clCreateContext", "clCreateCommandQueue", "clCreateBuffer", "clCreateProgramWithSource", "clCreateKernel")


class Device:
    """The first device of the first driver. Raises RuntimeError where there is none, and with what OpenCL says."""

    def __init__(self) -> None:
        try:
            self._cl = ctypes.CDLL("libOpenCL.so.1")
        except OSError as error:
            raise RuntimeError("there is no OpenCL here: install the driver, and its loader (ocl-icd)") from error
        for name in _MAKING:
            getattr(self._cl, name).restype = _POINTER
        platforms, devices, count = (_POINTER * 8)(), (_POINTER * 8)(), ctypes.c_uint32()
        if self._cl.clGetPlatformIDs(8, platforms, ctypes.byref(count)) or not count.value:
            raise RuntimeError("there is no OpenCL device: install the driver of the GPU")
        for platform in platforms[: count.value]:
            found = ctypes.c_uint32()
            place, kind = _POINTER(platform), ctypes.c_uint64(_ANY_KIND)
            if self._cl.clGetDeviceIDs(place, kind, 8, devices, ctypes.byref(found)) == 0 and found.value:
                break
        else:
            raise RuntimeError("there is no OpenCL device: install the driver of the GPU")
        self._device = _POINTER(devices[0])
        status = _INT()
        one = (_POINTER * 1)(self._device)
        self._context = _POINTER(self._cl.clCreateContext(None, 1, one, None, None, ctypes.byref(status)))
        _check("clCreateContext", status.value)
        queue = self._cl.clCreateCommandQueue(self._context, self._device, ctypes.c_uint64(0), ctypes.byref(status))
        self._queue = _POINTER(queue)
        _check("clCreateCommandQueue", status.value)
        self.name, self.driver = self._text(_NAME), self._text(_DRIVER)
        text = ctypes.create_string_buffer(256)
        self._cl.clGetPlatformInfo(place, _PLATFORM_NAME, _SIZE(len(text)), text, None)
        self.platform = text.value.decode(errors="replace").strip()

    def build(self, source: str) -> Any:
        """A program, compiled for the device. Raises RuntimeError with the compiler's words."""
        text, status = ctypes.c_char_p(source.encode()), _INT()
        made = self._cl.clCreateProgramWithSource(self._context, 1, ctypes.byref(text), None, ctypes.byref(status))
        _check("clCreateProgramWithSource", status.value)
        program = _POINTER(made)
        if self._cl.clBuildProgram(program, 1, (_POINTER * 1)(self._device), None, None, None):
            log = ctypes.create_string_buffer(1 << 16)
            self._cl.clGetProgramBuildInfo(program, self._device, _BUILD_LOG, _SIZE(len(log)), log, None)
            raise RuntimeError(f"{self.name} does not compile the kernels: {log.value.decode(errors='replace')[:400]}")
        return program

    def kernel(self, program: Any, name: str, arguments: Sequence[Any]) -> Any:
        """With its arguments: buffers."""
        status = _INT()
        made = self._cl.clCreateKernel(program, name.encode(), ctypes.byref(status))
        _check(f"clCreateKernel({name})", status.value)
        kernel = _POINTER(made)
        for place, buffer in enumerate(arguments):
            status_ = self._cl.clSetKernelArg(kernel, place, _SIZE(ctypes.sizeof(_POINTER)), ctypes.byref(buffer))
            _check(f"clSetKernelArg({name}, {place})", status_)
        return kernel

    def buffer(self, size: int, content: Array | None = None) -> Any:
        """size: bytes."""
        status = _INT()
        flags = _READ_WRITE | (_COPY if content is not None else 0)
        source = content.ctypes.data_as(_POINTER) if content is not None else None
        made = self._cl.clCreateBuffer(self._context, ctypes.c_uint64(flags), _SIZE(size), source, ctypes.byref(status))
        _check("clCreateBuffer", status.value)
        return _POINTER(made)

    def write(self, buffer: Any, content: Array) -> None:
        data = np.ascontiguousarray(content)
        place = data.ctypes.data_as(_POINTER)
        size = _SIZE(data.nbytes)
        status = self._cl.clEnqueueWriteBuffer(self._queue, buffer, 1, _SIZE(0), size, place, 0, None, None)
        _check("clEnqueueWriteBuffer", status)

    def read(self, buffer: Any, shape: Sequence[int], dtype: str) -> Array:
        data = np.empty(shape, dtype)
        place = data.ctypes.data_as(_POINTER)
        size = _SIZE(data.nbytes)
        status = self._cl.clEnqueueReadBuffer(self._queue, buffer, 1, _SIZE(0), size, place, 0, None, None)
        _check("clEnqueueReadBuffer", status)
        return data

    def launch(self, kernel: Any, grid: Sequence[int], block: Sequence[int]) -> None:
        """`grid`: work groups, `block`: work items of one; three numbers each."""
        everything = (_SIZE * 3)(*(groups * items for groups, items in zip(grid, block, strict=True)))
        group = (_SIZE * 3)(*block)
        status = self._cl.clEnqueueNDRangeKernel(self._queue, kernel, 3, None, everything, group, 0, None, None)
        _check("clEnqueueNDRangeKernel", status)

    def _text(self, what: int) -> str:
        text = ctypes.create_string_buffer(256)
        _check("clGetDeviceInfo", self._cl.clGetDeviceInfo(self._device, what, _SIZE(len(text)), text, None))
        return text.value.decode(errors="replace").strip()


def _check(what: str, status: int) -> None:
    if status:
        raise RuntimeError(f"OpenCL: {what} failed with status {status}")

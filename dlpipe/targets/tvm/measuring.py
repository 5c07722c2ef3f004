"""How long one operator takes on this machine: CPU seconds of one thread, which other programs' load touches least."""

import statistics
import time
from typing import Any

import numpy as np
import tvm

from .workloads import tensors_of

_SLICE = 1e-3  # seconds that a reading takes at least, so that neither the clock nor the call itself shows
_PAIRS = 15


def build(function: tvm.tirx.PrimFunc, target: tvm.target.Target) -> Any:
    """Machine code of one operator, as a function of its tensors."""
    return tvm.compile(tvm.IRModule({"main": function.with_attr("global_symbol", "main")}), target=target)["main"]


def arguments(function: tvm.tirx.PrimFunc) -> list[Any]:
    """Tensors that it can be called with: random numbers, and zeros for whole numbers, which may be indices."""
    random = np.random.default_rng(7)
    return [
        tvm.runtime.tensor(
            np.asarray(random.standard_normal(shape), dtype) if "float" in dtype else np.zeros(shape, dtype=dtype)
        )
        for shape, dtype in tensors_of(function)
    ]


def seconds(call: Any, tensors: list[Any], readings: int = 3) -> float:
    """Of one run: the median of a few readings."""
    times = _times(call, tensors)
    return statistics.median(_reading(call, tensors, times) for _ in range(readings))


def ratio(before: Any, after: Any, tensors: list[Any]) -> float:
    """after / before, by turns: the median of the ratios of neighbouring readings."""
    times = _times(before, tensors), _times(after, tensors)
    found = []
    for number in range(_PAIRS):
        turns = [(before, times[0]), (after, times[1])]
        read = [_reading(call, tensors, count) for call, count in (turns if number % 2 else reversed(turns))]
        first, second = read if number % 2 else reversed(read)
        found.append(second / first)
    return statistics.median(found)


def _times(call: Any, tensors: list[Any]) -> int:
    """How often to call it for one reading. The first call, which loads code and data, does not count."""
    call(*tensors)
    times = 1
    while (taken := _reading(call, tensors, times) * times) < _SLICE:
        times = max(2 * times, int(times * _SLICE / max(taken, 1e-6)))
    return times


def _reading(call: Any, tensors: list[Any], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        call(*tensors)
    return (time.process_time() - started) / times

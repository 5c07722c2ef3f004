"""The best that one core reaches: products of matrices in float32 and in 8-bit integers, and a large copy.

Best of several, since a limit is what nothing disturbed. Prints JSON: {"f32": {"flops": operations a second, a
multiplication and an addition each, "by": whose product it was}, "int8": the same or None, "bandwidth": bytes a second,
read and written}.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

SIZE = 512  # of the square matrices: many tiles of a kernel, and done within what a scheduler gives at a time
SECONDS = 0.3  # each: some sixty products on a fast core
COPIED = 192 << 20  # bytes: far more than caches hold
PIECE = 32 << 20  # of them that are timed together
COPIES = 3


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of as many runs as fit, at least three; the first does not count."""
    work()
    found: list[float] = []
    until = time.perf_counter() + SECONDS
    while len(found) < 3 or time.perf_counter() < until:
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def numpys() -> float:
    a, b, c = (np.ones((SIZE, SIZE), np.float32) for _ in range(3))
    return 2 * SIZE**3 / best(lambda: np.matmul(a, b, out=c))


def ort_product(op: str, left: Any, right: Any, result: int) -> float:
    """Of ONNX Runtime's kernel for a product with a constant matrix, which it may arrange as it likes."""
    shape = [SIZE, SIZE]
    graph = helper.make_graph(
        [helper.make_node(op, ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", helper.np_dtype_to_tensor_dtype(left.dtype), shape)],
        [helper.make_tensor_value_info("c", result, shape)],
        [numpy_helper.from_array(right, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return 2 * SIZE**3 / best(lambda: session.run(None, {"a": left}))


def floats() -> dict[str, Any]:
    ones = np.ones((SIZE, SIZE), np.float32)
    found = {
        f"NumPy {np.__version__}": numpys(),
        f"ONNX Runtime {ort.__version__}": ort_product("MatMul", ones, ones, TensorProto.FLOAT),
    }
    by = max(found, key=lambda name: found[name])
    return {"flops": found[by], "by": by}


def integers() -> dict[str, Any]:
    left, right = np.ones((SIZE, SIZE), np.uint8), np.ones((SIZE, SIZE), np.int8)
    flops = ort_product("MatMulInteger", left, right, TensorProto.INT32)
    return {"flops": flops, "by": f"ONNX Runtime {ort.__version__}"}


def bandwidth() -> float:
    source, target = np.ones(COPIED, np.uint8), np.zeros(COPIED, np.uint8)
    seconds = []
    for _ in range(COPIES):
        for start in range(0, COPIED, PIECE):
            began = time.perf_counter()
            np.copyto(target[start : start + PIECE], source[start : start + PIECE])
            seconds.append(time.perf_counter() - began)
    return 2 * PIECE / min(seconds)


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    json.dump({"f32": floats(), "int8": integers(), "bandwidth": bandwidth()}, sys.stdout)

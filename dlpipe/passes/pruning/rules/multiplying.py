"""Products with a stored matrix. A product of two activations is not followed: the cut would be exact, but heads of
attention have to keep their sizes."""

import math

import onnx_ir as ir

from ..following import Step


def gemm(step: Step) -> None:
    """A[M, K] x B[K, N] + C."""
    dims, attributes = step.dims(0), step.node.attributes
    if dims is None or step.stored_shape(1) is None or len(dims) != 2 or attributes.get_int("transA", 0):
        return
    into, out = (1, 0) if attributes.get_int("transB", 0) else (0, 1)
    step.tie(step.claim(1, into), step.claim(0, 1))
    made = step.claim(1, out)
    bias = step.dims(2)
    if step.has(2) and bias is None:
        return
    if bias and (step.size(2, -1) != 1 or len(made) == 1):  # one number for all channels stays
        step.tie(step.claim(2, -1), made)
    step.put([step.claim(0, 0), made])
    step.product(out, _rows(step.node.inputs[0]))


def matmul(step: Step) -> None:
    """x[..., K] x W[K, N]."""
    dims, sizes = step.dims(0), step.stored_shape(1)
    if dims is None or len(dims) < 2 or sizes is None or len(sizes) != 2:
        return
    step.tie(step.claim(1, 0), step.claim(0, -1))
    outer = [step.claim(0, axis) for axis in range(len(dims) - 1)]
    step.put([*outer, step.claim(1, 1)])
    step.product(1, _rows(step.node.inputs[0]))


def _rows(value: ir.Value | None) -> int | None:
    """All sizes but the last, multiplied; a first that is not fixed is a batch, and counts as one."""
    if value is None or value.shape is None:
        return None
    first, *others = list(value.shape)[:-1]
    if not all(isinstance(size, int) for size in others):
        return None
    return math.prod(int(size) for size in (first if isinstance(first, int) else 1, *others))


RULES = {"Gemm": gemm, "MatMul": matmul}

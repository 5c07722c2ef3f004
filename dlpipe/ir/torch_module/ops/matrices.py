"""Products of matrices."""

from typing import Any

import torch

from .table import Compute, Site, operator


@operator("MatMul")
def matmul(_site: Site) -> Compute:
    return lambda a, b: torch.matmul(a, b)


@operator("Gemm")
def gemm(site: Site) -> Compute:
    alpha, beta = site.attr("alpha", 1.0), site.attr("beta", 1.0)
    turn_a, turn_b = site.attr("transA", 0), site.attr("transB", 0)

    def compute(a: Any, b: Any, c: Any = None) -> Any:
        product = (a.transpose(-1, -2) if turn_a else a) @ (b.transpose(-1, -2) if turn_b else b)
        product = product if alpha == 1.0 else product * alpha
        if c is None:
            return product
        return product + (c if beta == 1.0 else c * beta)

    return compute


@operator("Einsum")
def einsum(site: Site) -> Compute:
    equation = site.attr("equation")
    return lambda *args: torch.einsum(equation, *args)

"""Products of matrices."""

from __future__ import annotations

from typing import Any

from .table import writes
from .text import Text


@writes("MatMul")
def _matmul(text: Text) -> None:
    ranks = [text.rank(each) for each in text.node.input]
    if min(ranks) < 2:
        text.fail("a product with a vector")
    values = [text.operand(each, max(ranks)) for each in text.node.input]
    if any(isinstance(each, float) for each in values):
        values = [
            text.tensor(each, [1] * (max(ranks) - text.rank(each)) + text.shape(each)) for each in text.node.input
        ]
    text.call("matmul", *values, to=text.node.output[0])


@writes("Gemm")
def _gemm(text: Text) -> None:
    given = text.attributes(alpha=1.0, beta=1.0, transA=0, transB=0, broadcast=1)
    one, two = (text.tensor(each) for each in text.node.input[:2])
    alpha, beta, to = float(given["alpha"]), float(given["beta"]), text.node.output[0]
    added = text.operand(text.input(2), 2) if text.input(2) and beta else None
    plain = alpha == 1.0 and added is None
    turned: dict[str, Any] = {"transposeA": bool(given["transA"]), "transposeB": bool(given["transB"])}
    made = text.call("matmul", one, two, **turned, to=to if plain else None)
    if plain:
        return
    if alpha != 1.0:
        made = text.call("mul", made, alpha, to=to if added is None else None)
    if added is not None:
        if beta != 1.0:
            added = added * beta if isinstance(added, float) else text.call("mul", added, beta)
        text.call("add", made, added, to=to)

"""Random graphs of the operators that exact passes work on, in the company in which they are met."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from .blocks import BLOCKS
from .moves import MOVES
from .net import Net

OPSETS = (13, 17, 18, 20, 23, 24)
_INPUTS = [("N", 6, 8), (2, 3, 4, 4), (2, 6, 8), ("N", 8), (1, 4, 6, 8)]


@st.composite
def cases(draw: Any, most: int = 12) -> dict[str, Any]:
    """A case for `trials/worker.py`; N is free."""
    net = Net(draw, draw(st.sampled_from(OPSETS)))
    for shape in draw(st.lists(st.sampled_from(_INPUTS), min_size=1, max_size=2, unique=True)):
        net.input(shape)
    for move in draw(st.lists(st.sampled_from(range(2 * len(MOVES))), min_size=1, max_size=most)):
        chosen = MOVES[move] if move < len(MOVES) else BLOCKS[move % len(BLOCKS)]
        chosen(net)
    return net.case()

"""The size of a net's input image, where its files do not tell it and its fully connected layers do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dlpipe_worker import Refused, Request

from ..kit.ports import BATCH
from .converter import FixedBatch, Mismatch
from .inputs import Input

_LARGEST = 2048
# What image networks are commonly trained on, the most common first.
_USUAL = (224, 227, 299, 32, 28, 256, 300, 64, 96, 112, 128, 160, 192, 320, 331, 384, 416, 512, 513, 600, 800)

Try = Callable[[list[Input]], Any]


def fitting_size(request: Request, inputs: Sequence[Input], convert: Try) -> int:
    """The side of a square image for which the layers fit together; a usual one where several do, and said so.

    convert: raises Mismatch, or Refused where the image is too small for the layers. Raises Refused where none fits.
    """
    asked = next((each for each in inputs if each.guessed), inputs[0])
    hint = f"say it: --input {asked.name}:{'x'.join(str(dim) for dim in asked.with_dims({'N': 1}).shape)}"

    def excess(size: int) -> int:
        """Below 0: too small, 0: fits, above 0: too large."""
        tried = [each.with_dims(dict.fromkeys("DHW", size)) for each in inputs]
        try:
            try:
                convert(tried)
            except FixedBatch as fixed:
                convert([each.with_dims({BATCH: fixed.size}) for each in tried])
        except Mismatch as error:
            return -1 if error.found is None else error.found - error.wanted
        except (FixedBatch, Refused):
            return -1
        return 0

    low = _first(lambda size: excess(size) >= 0)
    high = _first(lambda size: excess(size) > 0) - 1
    if low > high or high >= _LARGEST:
        raise Refused(f"the size of the input {asked.name!r} is not in the file, and no square one fits", hint=hint)
    if low == high:
        return low
    usual = [size for size in _USUAL if low <= size <= high]
    if not usual:
        raise Refused(
            f"the size of the input {asked.name!r} is not in the file: from {low}x{low} to {high}x{high} all fit",
            hint=hint,
        )
    request.note(
        f"the size of the input {asked.name!r} is not in the file: {low}x{low} to {high}x{high} fit, "
        f"{usual[0]}x{usual[0]} is taken. If that is not what it was trained on, {hint}",
        "warning",
    )
    return usual[0]


def free_size(request: Request, inputs: Sequence[Input]) -> list[Input]:
    """The inputs of a net that takes images of any size, at the most common one, and said so."""
    size = _USUAL[0]
    names = ", ".join(repr(each.name) for each in inputs if each.guessed)
    request.note(
        f"the size of the input {names} is not in the file and the net takes any: {size}x{size} is taken. Say another "
        "with --shape H=480 --shape W=640",
        "warning",
    )
    return [each.with_dims(dict.fromkeys("DHW", size)) if each.guessed else each for each in inputs]


def _first(holds: Callable[[int], bool]) -> int:
    """The smallest size for which it holds, of a test that holds from some size on."""
    low, high = 1, _LARGEST
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low

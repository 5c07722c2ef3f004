"""Pictures into a model's input: colours, size, range, layout. Host side."""

from __future__ import annotations

from pathlib import Path

from dlpipe.contracts.call import Call
from dlpipe.ir import SHIPPED
from dlpipe.ir.contract import PictureSteps

_WORKER = Path(__file__).with_name("worker.py")
_LIBRARIES = (*(_WORKER.parents[1] / name for name in ("arrange", "readers")), SHIPPED)


def picture_call(input_: str, steps: PictureSteps, *, always: bool) -> Call:
    """Inputs: `ir` (its contract.json), `data` (items/* or samples.npz, labels.json, labels.npz). Output: samples.npz
    with [N, *shape] for that input, and the labels; boxes among them are moved as their pictures are. Not `always`:
    arrays of reals are handed on as they are.

    Value: {"count", "white": 1 or 255, the range that the data seems to have, "sizes": how many sizes pictures have,
    "size": [height, width] of the first one, "channels"}. Raises Refused where a picture cannot be made to fit.
    """
    params = {"input": input_, "steps": steps.model_dump(mode="json"), "always": always}
    return Call("data", _WORKER, "picture", params, libraries=_LIBRARIES)


__all__ = ["picture_call"]

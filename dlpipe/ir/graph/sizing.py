"""What free dims become where nobody says: many networks take pictures of any multiple of 32 pixels, or sound of any
length above that of their first window, and none of the size 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

from . import executing

_USUAL = ((64, 8), (224, 16), (320, 128), (640, 512), (1024, 16_000))  # (rows and columns of pictures, other dims)
_COLOURS = 4
_PICTURE = 4  # dims of a batch of pictures


def choose(
    model: Path, ports: list[dict[str, Any]], known: Mapping[str, int], feed: Callable[[Mapping[str, int]], Any]
) -> dict[str, int]:
    """Free dim -> the first usual size with which ONNX Runtime runs the model, for those that are neither in `known`
    nor a batch (the first dim of an input). {} where there is none such, or where no size suits.

    ports: the inputs, as in the contract. feed: sizes -> {input: array} of one sample.
    """
    batches = {port["shape"][0] for port in ports if port["shape"]}
    free = {dim for port in ports for dim in port["shape"] if isinstance(dim, str)} - batches - set(known)
    if not free:
        return {}
    pictures = {dim for port in ports for dim in _rows_and_columns(port["shape"])}
    try:
        session = executing.open_session(model)
    except Refused:
        return {}
    for picture, other in _USUAL:
        sizes = {dim: picture if dim in pictures else other for dim in sorted(free)}
        try:
            given = feed(sizes)
            with executing.refusing("failed to run the model"):
                session.run(None, {port.name: given[port.name] for port in session.get_inputs()})
        except Refused:
            continue
        return sizes
    return {}


def _rows_and_columns(shape: list[Any]) -> list[Any]:
    """The dims of a picture, wherever its colours are: at a fixed place, or behind the batch."""
    if len(shape) != _PICTURE:
        return []
    last = isinstance(shape[3], int) and shape[3] <= _COLOURS and not isinstance(shape[1], int)
    return shape[1:3] if last else shape[2:]

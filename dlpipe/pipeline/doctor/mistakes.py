"""The usual mistakes of feeding pictures, as steps to try: colours, range, axes, filter, crop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from dlpipe.ir.contract import PictureSteps

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # RGB, of pictures in 0-1
_CAFFE = (123.68, 116.779, 103.939)  # RGB, of pictures in 0-255
_CROPPED = 0.875  # the share of a picture that most of ImageNet's nets are shown
_FILTERS = ("nearest", "box", "bicubic", "lanczos", "bilinear")


@dataclass(frozen=True, slots=True)
class Seen:
    """The data, as the reader found it. white: the largest value that it seems to have, 1 or 255. size: height, width
    of the first picture."""

    white: float
    sizes: int
    size: tuple[int, int]
    channels: int
    decoded: bool  # from picture files, whose axes are known


@dataclass(frozen=True, slots=True)
class Taken:
    """What the model's input takes."""

    channels: int
    size: tuple[int, int] | None


def values(seen: Seen, taken: Taken, start: PictureSteps) -> Iterator[tuple[str, PictureSteps]]:
    """(what it is called, steps): every order of colours with every range of values."""
    colours = ("rgb", "bgr", "grey") if taken.channels == 3 and seen.channels >= 3 else (None,)
    for colour in colours:
        for said, scale, mean, std in _ranges(seen.white, taken.channels, colour == "bgr"):
            name = f"{(colour or '').upper()} {said}".strip()
            yield name, start.model_copy(update={"colour": colour, "scale": scale, "mean": mean, "std": std})


def _ranges(
    white: float, channels: int, turned: bool
) -> Iterator[tuple[str, float, tuple[float, ...], tuple[float, ...]]]:
    """(name, scale, mean, std), of values that go up to `white`. turned: the channels are in the order BGR."""

    def ordered(values: tuple[float, ...]) -> tuple[float, ...]:
        return values[::-1] if turned else values

    unit, byte = 1 / white, 255 / white
    yield "0 to 255", byte, (), ()
    yield "0 to 1", unit, (), ()
    yield "-1 to 1", 2 * unit, (1.0,), ()
    yield "-128 to 127", byte, (128.0,), ()
    yield "-0.5 to 0.5", unit, (0.5,), ()
    if channels == 3:
        yield "ImageNet's mean and std", unit, ordered(_IMAGENET[0]), ordered(_IMAGENET[1])
        yield "Caffe's mean", byte, ordered(_CAFFE), ()
    if channels == 1:
        yield "1 to 0 (inverted)", -unit, (-1.0,), ()
        yield "MNIST's mean and std", unit, (0.1307,), (0.3081,)


def shapes(seen: Seen, taken: Taken, best: PictureSteps) -> Iterator[tuple[str, PictureSteps]]:
    """The same values read along other axes, and with other sizes, filters and crops where anything is resized."""
    square = seen.sizes == 1 and seen.size[0] == seen.size[1]
    if square:
        yield "height and width exchanged", best.model_copy(update={"axes": "whc"})
    if square and not seen.decoded and seen.channels > 1:
        yield "bytes that lie channels first", best.model_copy(update={"axes": "flat-chw"})
    size = taken.size
    if size is None or (seen.sizes == 1 and seen.size == size and best.crop is None):
        return
    for each in _FILTERS:
        if each != best.filter:
            yield f"filter {each}", best.model_copy(update={"filter": each})
    larger = (math.ceil(size[0] / _CROPPED), math.ceil(size[1] / _CROPPED))
    for name, change in (
        ("stretched to the input", {"resize": None, "fit": "stretch", "crop": None}),
        ("the middle, proportions kept", {"resize": size, "fit": "cover", "crop": size}),
        (f"the middle {_CROPPED:.1%}, proportions kept", {"resize": larger, "fit": "cover", "crop": size}),
    ):
        steps = best.model_copy(update=change)
        if steps != best:
            yield name, steps

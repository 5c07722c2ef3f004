"""One picture, step by step. Worker side, in the toolchain `data`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray
from PIL import Image

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_GREY = np.array([299, 587, 114]) / 1000  # ITU-R 601-2 luma, as Pillow converts to "L"


@dataclass(frozen=True)
class Frame:
    """Where a pixel (x, y) went: (x * scale_x - left, y * scale_y - top)."""

    scale_x: float
    scale_y: float
    left: float
    top: float

    def moved(self, box: list[float]) -> list[float]:
        """[left, top, right, bottom, class, crowd]"""
        x, y = (self.scale_x, self.left), (self.scale_y, self.top)
        ends = [value * by - off for value, (by, off) in zip(box[:4], (x, y, x, y), strict=True)]
        return [*ends, *box[4:]]


def read(array: NDArray[Any], axes: str | None) -> NDArray[Any]:
    """[height, width, channels] of an array [h, w], [h, w, c] or [c, h, w]."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3:
        raise Refused(f"an array of the shape {list(array.shape)} is no picture")
    if axes is None:
        axes = "chw" if array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4) else "hwc"
    if axes == "flat-chw":
        height, width, channels = array.shape
        array = array.reshape(channels, height, width)
    if axes in ("chw", "flat-chw"):
        array = np.moveaxis(array, 0, -1)
    return array.swapaxes(0, 1) if axes == "whc" else array


def made(
    picture: NDArray[Any], steps: Mapping[str, Any], size: tuple[int, int] | None, channels: int
) -> tuple[NDArray[np.float32], Frame]:
    """picture: [height, width, channels]. size: what the input takes, where it says so; a picture of another size is
    brought to it. Returns float32 [height, width, channels]."""
    picture = _coloured(picture, steps["colour"], channels)
    before = picture.shape[:2]
    picture = _resized(picture, steps, size)
    scale_y, scale_x = picture.shape[0] / before[0], picture.shape[1] / before[1]
    picture, left, top = _cropped(picture, steps["crop"])
    if size is not None and picture.shape[:2] != size:
        raise Refused(
            f"a picture comes out with {_shown(picture.shape[:2])} pixels, and the input takes {_shown(size)}",
            hint="crop, or resize without fit=cover, gives the input's size",
        )
    values = picture.astype(np.float32) * np.float32(steps["scale"])
    for name, operate in (("mean", np.subtract), ("std", np.divide)):
        if steps[name]:
            by = np.array(steps[name], np.float32)
            if len(by) not in (1, channels):
                raise Refused(f"{name} has {len(by)} numbers, and the input {channels} channels")
            values = operate(values, by)
    return values, Frame(scale_x, scale_y, left, top)


def _coloured(picture: NDArray[Any], colour: str | None, channels: int) -> NDArray[Any]:
    have = picture.shape[2]
    picture = picture[..., :3] if have == 4 and channels != 4 else picture
    have = picture.shape[2]
    if colour == "grey" or (channels == 1 and have == 3):
        if have == 3:
            grey = picture @ _GREY
            picture = (grey.round().astype(picture.dtype) if picture.dtype == np.uint8 else grey)[..., None]
        have = 1
    if have == 1 and channels == 3:
        picture = np.repeat(picture, 3, axis=2)
    elif colour == "bgr" and have == 3:
        picture = picture[..., ::-1]
    if picture.shape[2] != channels:
        raise Refused(f"a picture has {picture.shape[2]} channels, and the input takes {channels}")
    return picture


def _resized(picture: NDArray[Any], steps: Mapping[str, Any], size: tuple[int, int] | None) -> NDArray[Any]:
    wanted = tuple(steps["resize"]) if steps["resize"] else None if steps["crop"] else size
    have = picture.shape[:2]
    if wanted is None:
        return picture
    if steps["fit"] == "cover":
        factor = max(wanted[0] / have[0], wanted[1] / have[1])
        wanted = (max(wanted[0], round(have[0] * factor)), max(wanted[1], round(have[1] * factor)))
    if wanted == have:
        return picture
    how = {"size": (wanted[1], wanted[0]), "resample": _FILTERS[steps["filter"]]}
    if picture.dtype == np.uint8 and picture.shape[2] in (1, 3):
        image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else np.ascontiguousarray(picture))
        return np.asarray(image.resize(**how)).reshape(*wanted, -1)
    planes = [Image.fromarray(picture[..., place].astype(np.float32)) for place in range(picture.shape[2])]
    return np.stack([np.asarray(plane.resize(**how)) for plane in planes], axis=-1)


def _cropped(picture: NDArray[Any], crop: list[int] | None) -> tuple[NDArray[Any], float, float]:
    """The middle, and how much went off at the left and at the top."""
    if crop is None:
        return picture, 0.0, 0.0
    height, width = picture.shape[:2]
    if height < crop[0] or width < crop[1]:
        raise Refused(f"{_shown(crop)} pixels cannot be cut out of {_shown((height, width))}", hint="resize to more")
    top, left = (height - crop[0]) // 2, (width - crop[1]) // 2
    return picture[top : top + crop[0], left : left + crop[1]], float(left), float(top)


def _shown(size: Any) -> str:
    return f"{size[0]} x {size[1]}"

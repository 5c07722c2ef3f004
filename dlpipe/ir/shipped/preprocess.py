"""A picture into this model's input: python preprocess.py photo.jpg [inputs.npz]. Needs the packages numpy and Pillow,
from 13 on to the bit as it was measured: older ones round some pixels otherwise where they resize.

What is done stands in contract.json beside this file, under "preprocessing". From a program of your own:
`preprocess.Picture.of_artifact("folder").prepared(photo)` gives {input: array}, the photo being a file or uint8
[height, width, channels], red first.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# This file lies in every artefact that is fed with pictures, and dlpipe's own reader calls it too
# (dlpipe/data/picture/worker.py): it imports nothing of dlpipe. Pillow is imported where a picture is opened or
# resized, since the toolchain that writes preprocess.h has none.

_UNSAID = {  # what steps are that a contract does not name
    "colour": None,
    "axes": None,
    "resize": None,
    "fit": "stretch",
    "filter": "bilinear",
    "crop": None,
    "scale": 1.0,
    "mean": (),
    "std": (),
}
_LUMA = np.array([299, 587, 114]) / 1000  # ITU-R 601-2, for pictures of reals; Pillow has its own for bytes
_GREY_MODES = ("1", "L", "LA")
_LAST = {"NHWC": True, "HWC": True, "NCHW": False, "CHW": False}


class Unfit(ValueError):
    """A picture, or an input, that cannot be brought together. hint: what would help."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


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


@dataclass(frozen=True)
class Picture:
    """How pictures become one input. port: that input in the contract; steps: see `PictureSteps` of dlpipe's contract;
    quantisation: {"scale", "zero_point"} of an input of integers, where it is known."""

    port: Mapping[str, Any]
    steps: Mapping[str, Any]
    quantisation: Mapping[str, Any] | None

    @classmethod
    def of_artifact(cls, folder: str | Path) -> Picture:
        contract = json.loads(Path(folder, "contract.json").read_text(encoding="utf-8"))
        part = next(each for each in contract["preprocessing"] if each["kind"] == "picture")
        return cls.of_contract(contract, part["input"], part["steps"])

    @classmethod
    def of_contract(cls, contract: Mapping[str, Any], name: str, steps: Mapping[str, Any]) -> Picture:
        port = next(each for each in contract["inputs"] if each["name"] == name)
        return cls(port, {**_UNSAID, **steps}, contract.get("metadata", {}).get("quantisation", {}).get(name))

    def prepared(self, picture: str | Path | NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """{the input's name: what it is fed, of its own shape and dtype, a batch of one}. Raises Unfit."""
        pixels = picture if isinstance(picture, np.ndarray) else decoded(Path(picture))
        if pixels.dtype != np.uint8:
            raise Unfit(f"a picture is of uint8, and this one of {pixels.dtype}")
        values, _ = self.made(read(pixels, self.steps["axes"]))
        return {self.port["name"]: self.fed(values[None], plain=self.keeps_bytes)[0]}

    def made(self, picture: NDArray[Any]) -> tuple[NDArray[np.float32], Frame]:
        """picture: [height, width, channels]. Returns [height, width, channels], or channels first, as the input is."""
        channels, size, last = self.layout
        values, frame = made(picture, self.steps, size, channels)
        return values if last else np.moveaxis(values, -1, 0), frame

    def fed(self, values: NDArray[np.float32], *, plain: bool) -> NDArray[Any]:
        """[N, *picture] -> [N, *shape of the input], in its dtype: one of integers that says what its steps are worth
        gets numbers of steps, but one of bytes gets bytes as they come where these are `plain`."""
        typed = values[:, None] if len(self.port["shape"]) == 4 else values
        wanted = np.dtype(self.port["dtype"])
        if wanted.kind not in "iu":
            return typed.astype(wanted)
        if self.quantisation is not None and not (plain and wanted == np.uint8):
            scale, zero_point = (np.float32(self.quantisation[name]) for name in ("scale", "zero_point"))
            typed = typed / scale + zero_point
        limits = np.iinfo(wanted)
        return np.clip(np.rint(typed), limits.min, limits.max).astype(wanted)

    @property
    def keeps_bytes(self) -> bool:
        """Whether a picture of bytes is one still when all is done."""
        return self.steps["scale"] == 1 and not any(self.steps["mean"]) and all(each == 1 for each in self.steps["std"])

    @property
    def layout(self) -> tuple[int, tuple[int, int] | None, bool]:
        """Channels, (height, width) where both are fixed, and whether the channels come last. Raises Unfit."""
        shape = list(self.port["shape"])
        sample = shape[1:] if len(shape) == 4 else shape
        if len(sample) != 3:
            raise Unfit(f"the input {self.port['name']} takes {shape}: no picture")
        told = _LAST.get(self.port.get("layout") or "")
        last = told if told is not None else sample[2] in (1, 3, 4) and sample[0] not in (1, 3)
        channels = sample[2] if last else sample[0]
        if channels not in (1, 3, 4):
            raise Unfit(f"the input {self.port['name']} takes {shape}, which does not tell its channels")
        height, width = sample[:2] if last else sample[1:]
        fixed = isinstance(height, int) and isinstance(width, int)
        return channels, (height, width) if fixed else None, last


def decoded(path: Path) -> NDArray[np.uint8]:
    """[height, width, 1 or 3] of a picture's file, or of an array's (.npy). Transparency is dropped, and the
    orientation of the camera is not applied, as in the training frameworks. Raises Unfit."""
    from PIL import Image

    if path.suffix == ".npy":
        return np.asarray(np.load(path))
    try:
        opened = Image.open(path)
    except Image.DecompressionBombError as error:
        raise Unfit(str(error)) from None
    with opened as picture:
        if picture.mode.startswith(("I", "F")):  # Pillow makes white of most of them, other loaders divide by 256
            raise Unfit("it has greys of more than 8 bits: save it with 8, as the model's training made them of it")
        pixels = np.asarray(picture.convert("L" if picture.mode in _GREY_MODES else "RGB"), dtype=np.uint8)
    return pixels.reshape(*pixels.shape[:2], -1)


def read(array: NDArray[Any], axes: str | None) -> NDArray[Any]:
    """[height, width, channels] of an array [h, w], [h, w, c] or [c, h, w]. Raises Unfit."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or not array.size:
        raise Unfit(f"an array of the shape {list(array.shape)} is no picture")
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
    brought to it. Returns float32 [height, width, channels]. Raises Unfit."""
    picture = _coloured(picture, steps["colour"], channels)
    before = picture.shape[:2]
    picture = _resized(picture, steps, size)
    scale_y, scale_x = picture.shape[0] / before[0], picture.shape[1] / before[1]
    picture, left, top = _cropped(picture, steps["crop"])
    if size is not None and picture.shape[:2] != size:
        raise Unfit(
            f"a picture comes out with {_shown(picture.shape[:2])} pixels, and the input takes {_shown(size)}",
            hint="crop, or resize without fit=cover, gives the input's size",
        )
    values = picture.astype(np.float32) * np.float32(steps["scale"])
    for name, operate in (("mean", np.subtract), ("std", np.divide)):
        if steps[name]:
            by = np.array(steps[name], np.float32)
            if len(by) not in (1, channels):
                raise Unfit(f"{name} has {len(by)} numbers, and the input {channels} channels")
            values = operate(values, by)
    return values, Frame(scale_x, scale_y, left, top)


def _coloured(picture: NDArray[Any], colour: str | None, channels: int) -> NDArray[Any]:
    have = picture.shape[2]
    picture = picture[..., :3] if have == 4 and channels != 4 else picture
    have = picture.shape[2]
    if colour == "grey" or (channels == 1 and have == 3):
        picture = _grey(picture) if have == 3 else picture
        have = 1
    if have == 1 and channels == 3:
        picture = np.repeat(picture, 3, axis=2)
    elif colour == "bgr" and have == 3:
        picture = picture[..., ::-1]
    if picture.shape[2] != channels:
        raise Unfit(f"a picture has {picture.shape[2]} channels, and the input takes {channels}")
    return picture


def _grey(picture: NDArray[Any]) -> NDArray[Any]:
    from PIL import Image

    if picture.dtype == np.uint8:
        return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).convert("L"))[..., None]
    return (picture @ _LUMA)[..., None]


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
    from PIL import Image

    how = {"size": (wanted[1], wanted[0]), "resample": Image.Resampling[steps["filter"].upper()]}
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
        raise Unfit(f"{_shown(crop)} pixels cannot be cut out of {_shown((height, width))}", hint="resize to more")
    top, left = (height - crop[0]) // 2, (width - crop[1]) // 2
    return picture[top : top + crop[0], left : left + crop[1]], float(left), float(top)


def _shown(size: Any) -> str:
    return f"{size[0]} x {size[1]}"


def save(path: str | Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """An .npz of any names (numpy.savez takes no array called "file"), the same bytes for the same arrays."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def _main(picture: str, inputs: str = "inputs.npz") -> None:
    try:
        save(inputs, Picture.of_artifact(Path(__file__).parent).prepared(picture))
    except (OSError, ValueError) as error:
        sys.exit(f"{picture}: {error}")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: python preprocess.py photo.jpg [inputs.npz]")
    _main(*sys.argv[1:])

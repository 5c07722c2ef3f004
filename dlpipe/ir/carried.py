"""What a model carries of its preprocessing, in the forms that others write. Standard library only: host and workers
share it. What is not understood is left alone: a wrong guess would be worse than none.

Sources: Hugging Face's preprocessor_config.json (transformers, image_processing_*), timm's config.json
(pretrained_cfg), the arguments of torchvision's ImageClassification as JSON, ONNX's "Metadata for images"
(docs/MetadataProps.md).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILES = ("preprocessor_config.json", "config.json")
_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}  # Pillow's numbers
_BYTE = 1 / 255

Steps = dict[str, Any]  # fields of `PictureSteps`


def read(folder: Path) -> tuple[Steps, str] | None:
    """(steps, the file's name) of the first file of a model's folder that says how pictures are prepared."""
    for name in FILES:
        if (folder / name).is_file():
            found = from_json((folder / name).read_text(encoding="utf-8", errors="replace"))
            if found is not None:
                return found, name
    return None


def part(input_: str, steps: Steps, source: str) -> dict[str, Any]:
    """As it stands in a contract."""
    summary = f"pictures are prepared as {source} says"
    return {"kind": "picture", "input": input_, "steps": steps, "source": source, "summary": summary}


def from_json(text: str) -> Steps | None:
    """Of a configuration file. None: it says nothing of pictures that is understood."""
    try:
        given = json.loads(text)
        if not isinstance(given, dict):
            return None
        if isinstance(given.get("pretrained_cfg"), dict):
            return _timm(given["pretrained_cfg"])
        if "image_mean" in given or "do_rescale" in given or "do_normalize" in given:
            return _hugging_face(given)
        if "mean" in given and "std" in given:
            return _torchvision(given)
    except (ValueError, TypeError, KeyError, ZeroDivisionError):
        pass
    return None


def _hugging_face(given: Mapping[str, Any]) -> Steps:
    steps: Steps = {"colour": "rgb"}
    size = given.get("size")
    if given.get("do_resize", size is not None) and size is not None:
        shorter = size if isinstance(size, int) else size.get("shortest_edge")
        steps["resize"] = _square(shorter) if shorter else (int(size["height"]), int(size["width"]))
        # A single number is the shorter side where something is cut out afterwards, else both.
        if shorter and (not isinstance(size, int) or given.get("do_center_crop")):
            steps["fit"] = "cover"
        steps["filter"] = _RESAMPLING[int(given.get("resample", 2))]
    crop = given.get("crop_size")
    if given.get("do_center_crop") and crop is not None:
        steps["crop"] = _square(crop) if isinstance(crop, int) else (int(crop["height"]), int(crop["width"]))
    if given.get("do_rescale", True):
        steps["scale"] = float(given.get("rescale_factor", _BYTE))
    if given.get("do_normalize", "image_mean" in given):
        steps |= {"mean": _numbers(given["image_mean"]), "std": _numbers(given["image_std"])}
    return steps


def _timm(given: Mapping[str, Any]) -> Steps:
    """Its pictures are resized so that the input is a share `crop_pct` of them, and the middle is cut out."""
    _, height, width = given["input_size"]
    share = float(given.get("crop_pct") or 0.875)
    larger = (math.floor(height / share), math.floor(width / share))
    steps: Steps = {"colour": "rgb", "resize": larger, "filter": given.get("interpolation") or "bicubic"}
    if steps["filter"] not in _RESAMPLING.values():
        raise ValueError(steps["filter"])
    steps |= {"fit": "stretch" if given.get("crop_mode") == "squash" else "cover", "crop": (int(height), int(width))}
    return steps | {"scale": _BYTE, "mean": _numbers(given["mean"]), "std": _numbers(given["std"])}


def _torchvision(given: Mapping[str, Any]) -> Steps:
    """The arguments of `ImageClassification`: resize_size (the shorter side), crop_size, mean, std, interpolation."""
    steps: Steps = {"colour": "rgb", "scale": _BYTE, "mean": _numbers(given["mean"]), "std": _numbers(given["std"])}
    if given.get("resize_size"):
        steps |= {"resize": _square(_one(given["resize_size"])), "fit": "cover"}
        steps["filter"] = str(given.get("interpolation", "bilinear")).rpartition(".")[2].lower()
    if given.get("crop_size"):
        steps["crop"] = _square(_one(given["crop_size"]))
    return steps


def properties(given: Mapping[str, str]) -> Steps | None:
    """Of an ONNX model's metadata: Image.BitmapPixelFormat, Image.NominalPixelRange."""
    steps: Steps = {}
    colours = {"rgb8": "rgb", "rgba8": "rgb", "bgr8": "bgr", "bgra8": "bgr", "gray8": "grey"}
    colour = colours.get(given.get("Image.BitmapPixelFormat", "").lower())
    if colour:
        steps["colour"] = colour
    ranges: dict[str, Steps] = {
        "nominalrange_0_255": {},
        "normalized_0_1": {"scale": _BYTE},
        "normalized_1_1": {"scale": 2 * _BYTE, "mean": (1.0,)},
    }
    known = ranges.get(given.get("Image.NominalPixelRange", "").lower())
    if known is None and not steps:
        return None
    return steps | (known or {})


def _numbers(values: Any) -> tuple[float, ...]:
    found = tuple(float(each) for each in (values if isinstance(values, list | tuple) else [values]))
    if not found or not all(map(math.isfinite, found)):
        raise ValueError(values)
    return found


def _one(value: Any) -> int:
    return int(value[0] if isinstance(value, list) else value)


def _square(side: Any) -> tuple[int, int]:
    return int(side), int(side)

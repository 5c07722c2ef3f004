"""preprocess.h for one model: the same steps as preprocess.py, in C. Worker side, in the toolchain `core`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .preprocess import Picture, Unfit

_TYPES = {"float32": "float", "uint8": "unsigned char", "int8": "signed char"}
# Filter -> how far it reaches, and its weights as statements that return. As in Pillow's documentation of filters.
_PI = "3.14159265358979323846"
_FILTERS = {
    "nearest": (0.0, ["(void)x;", "return 1.0;"]),
    "box": (0.5, ["return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;"]),
    "bilinear": (1.0, ["x = fabs(x);", "return x < 1.0 ? 1.0 - x : 0.0;"]),
    "hamming": (
        1.0,
        [
            f"x = fabs(x) * {_PI};",
            "if (x == 0.0) return 1.0;",
            f"return x < {_PI} ? sin(x) / x * (0.54 + 0.46 * cos(x)) : 0.0;",
        ],
    ),
    "bicubic": (
        2.0,
        [
            "x = fabs(x);",
            "if (x < 1.0) return (1.5 * x - 2.5) * x * x + 1.0;",
            "return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5 : 0.0;",
        ],
    ),
    "lanczos": (
        3.0,
        [
            "if (x < -3.0 || x >= 3.0) return 0.0;",
            "if (x == 0.0) return 1.0;",
            f"x *= {_PI};",
            "return sin(x) / x * (sin(x / 3.0) / (x / 3.0));",
        ],
    ),
}


def header(how: Picture) -> str:
    """The text of preprocess.h. Raises Unfit, with the reason, where C has no type for the input, or pictures as they
    are decoded are not what its steps speak of."""
    template = Path(__file__).with_name("preprocess.h").read_text(encoding="utf-8")
    for name, value in _values(how).items():
        template = template.replace(f"@{name}@", str(value))
    return template


def _values(how: Picture) -> dict[str, object]:
    steps, (channels, size, last), dtype = how.steps, how.layout, how.port["dtype"]
    if size is None:
        raise Unfit("the input's height and width are free")
    if channels not in (1, 3):
        raise Unfit(f"the input takes {channels} channels, and decoded pictures have 3 or 1")
    if dtype not in _TYPES:
        raise Unfit(f"C has no type {dtype}")
    if steps["axes"] not in (None, "hwc"):
        raise Unfit(f"the steps speak of arrays that are stored otherwise (axes={steps['axes']})")
    if steps["crop"] and tuple(steps["crop"]) != size:
        raise Unfit(f"what is cut out is {steps['crop']}, and the input takes {list(size)}")
    wanted = steps["resize"] or ((0, 0) if steps["crop"] else size)
    reach, weight = _FILTERS[steps["filter"]]
    whole = np.dtype(dtype).kind in "iu"
    quantised = whole and how.quantisation is not None and not (how.keeps_bytes and dtype == "uint8")
    step = how.quantisation if quantised and how.quantisation is not None else {"scale": 1, "zero_point": 0}
    limits = np.iinfo(dtype) if whole else None
    return {
        "type": _TYPES[dtype],
        "layout": "[height][width][channels]" if last else "[channels][height][width]",
        "channels": channels,
        "height": size[0],
        "width": size[1],
        "channels_last": int(last),
        "grey": int(steps["colour"] == "grey"),
        "bgr": int(steps["colour"] == "bgr"),
        "to_height": wanted[0],
        "to_width": wanted[1],
        "cover": int(steps["fit"] == "cover"),
        "crop": int(bool(steps["crop"])),
        "nearest": int(steps["filter"] == "nearest"),
        "quantised": int(quantised),
        "whole": int(whole),
        "least": limits.min if limits else 0,
        "most": limits.max if limits else 0,
        "scale": _float(steps["scale"]),
        "mean": _floats(steps["mean"], channels, 0.0),
        "std": _floats(steps["std"], channels, 1.0),
        "step": _float(step["scale"]),
        "zero_point": _float(step["zero_point"]),
        "filter": steps["filter"],
        "reach": reach,
        "weight": "\n".join(f"  {line}" for line in weight),
    }


def _floats(values: Sequence[float], channels: int, none: float) -> str:
    if len(values) not in (0, 1, channels):
        raise Unfit(f"there are {len(values)} numbers for {channels} channels")
    return ", ".join(map(_float, values if len(values) == channels else [*(values or [none])] * channels))


def _float(value: Any) -> str:
    """Ten digits tell every float from its neighbours."""
    return f"{float(np.float32(value)):.9e}f"

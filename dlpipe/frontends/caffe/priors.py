"""The boxes that SSD's PriorBox lays over a feature map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

MAX_BOXES = 1 << 24


def prior_boxes(params: Any, cells: Sequence[int], image: Sequence[int]) -> Any:
    """[1, 2, boxes * 4] float32: xmin, ymin, xmax, ymax as parts of the image, then their variances.

    cells, image: height and width. Per cell and min_size: the square, the square between min_size and max_size, then
    one box per aspect ratio. Raises ValueError for parameters that make no boxes.
    """
    ratios = _ratios(params)
    minima, maxima = params.min_size, params.max_size
    if not minima or any(each <= 0 for each in minima) or (maxima and len(maxima) != len(minima)):
        raise ValueError(f"min_size {minima}, max_size {maxima}")
    height, width = (params.img_h or params.img_size or image[0]), (params.img_w or params.img_size or image[1])
    step_h, step_w = (
        (params.step_h or params.step or height / cells[0]),
        (params.step_w or params.step or width / cells[1]),
    )
    sizes: list[tuple[float, float]] = []
    for index, low in enumerate(minima):
        sizes.append((low, low))
        if maxima:
            if maxima[index] <= low:
                raise ValueError(f"max_size {maxima[index]} is not above min_size {low}")
            sizes.append((math.sqrt(low * maxima[index]),) * 2)
        sizes.extend((low * math.sqrt(each), low / math.sqrt(each)) for each in ratios if abs(each - 1) >= 1e-6)
    if cells[0] * cells[1] * len(sizes) > MAX_BOXES:
        raise ValueError(f"{cells[0]} x {cells[1]} cells with {len(sizes)} boxes each")
    rows, columns = np.mgrid[0 : cells[0], 0 : cells[1]]
    centres = np.stack([(columns + params.offset) * step_w, (rows + params.offset) * step_h], -1)[:, :, None]
    half = np.asarray(sizes) / 2
    boxes = np.concatenate([centres - half, centres + half], -1) / [width, height, width, height]
    if params.clip:
        boxes = boxes.clip(0, 1)
    variance = params.variance or [0.1]
    if len(variance) not in (1, 4):
        raise ValueError(f"it has {len(variance)} variances")
    spread = np.broadcast_to(np.asarray(variance * (4 if len(variance) == 1 else 1)), boxes.shape)
    return np.stack([boxes.reshape(-1), spread.reshape(-1)])[None].astype(np.float32)


def _ratios(params: Any) -> list[float]:
    """Without repetitions; with `flip`, each with its reciprocal."""
    found = [1.0]
    for each in params.aspect_ratio:
        if each <= 0:
            raise ValueError(f"an aspect_ratio of {each}")
        for ratio in (each, 1 / each) if params.flip else (each,):
            if ratio is each and any(abs(each - other) < 1e-6 for other in found):
                break
            found.append(ratio)
    return found

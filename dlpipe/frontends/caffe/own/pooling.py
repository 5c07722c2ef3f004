"""Windows, one by one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .dense import axes


def windows(size: int, kernel: int, stride: int, pad: int, upward: bool = True) -> list[tuple[int, int, int]]:
    """Along one axis: (first, behind the last, length that an average divides by) of each window."""
    room = (size + 2 * pad - kernel) / stride
    count = (math.ceil(room) if upward else math.floor(room)) + 1
    if pad and (count - 1) * stride >= size + pad:
        count -= 1
    found = []
    for index in range(count):
        start = index * stride - pad
        stop = min(start + kernel, size + pad)
        found.append((max(start, 0), min(stop, size), stop - start))
    return found


def pool(x: Any, kernel: list[int], stride: list[int], pad: list[int], average: bool, upward: bool = True) -> Any:
    """(pooled, index of the largest within its plane)"""
    rows, columns = (windows(x.shape[2 + a], kernel[a], stride[a], pad[a], upward) for a in range(2))
    made = np.zeros([*x.shape[:2], len(rows), len(columns)])
    where = np.zeros_like(made)
    for i, (top, bottom, high) in enumerate(rows):
        for j, (left, right, wide) in enumerate(columns):
            part = x[:, :, top:bottom, left:right]
            if average:
                made[:, :, i, j] = part.sum((2, 3)) / (high * wide)
                continue
            flat = part.reshape([*x.shape[:2], -1])
            made[:, :, i, j] = flat.max(-1)
            row, column = np.divmod(flat.argmax(-1), right - left)
            where[:, :, i, j] = (row + top) * x.shape[3] + column + left
    return made, where


def _pooling(context: Any, x: Any) -> Any:
    params = context.params("pooling_param")
    if params.global_pooling:
        kernel, stride, pad = list(x.shape[2:]), [1, 1], [0, 0]
    else:
        kernel, stride, pad = axes(params, 2)
    upward = params.round_mode == "CEIL" and params.ceil_mode
    made, where = pool(x, kernel, stride, pad, params.pool == "AVE", upward)
    return [made, where][: context.tops]


def _pyramid(context: Any, x: Any) -> Any:
    params = context.params("spp_param")
    parts = []
    for level in range(params.pyramid_height):
        kernel = [math.ceil(size / 2**level) for size in x.shape[2:]]
        pad = [(k * 2**level - size + 1) // 2 for k, size in zip(kernel, x.shape[2:], strict=True)]
        parts.append(pool(x, kernel, kernel, pad, params.pool == "AVE")[0].reshape(x.shape[0], -1))
    return np.concatenate(parts, 1)


def _roi(context: Any, x: Any, rois: Any) -> Any:
    params = context.params("roi_pooling_param")
    rois = rois.reshape(-1, 5)
    high, wide = params.pooled_h, params.pooled_w
    made = np.zeros([len(rois), x.shape[1], high, wide])
    for index, roi in enumerate(rois):
        left, top, right, bottom = (math.floor(each * params.spatial_scale + 0.5) for each in roi[1:])
        step_h, step_w = max(bottom - top + 1, 1) / high, max(right - left + 1, 1) / wide
        for i in range(high):
            for j in range(wide):
                rows = [min(max(math.floor(i * step_h) + top, 0), x.shape[2]),
                        min(max(math.ceil((i + 1) * step_h) + top, 0), x.shape[2])]  # fmt: skip
                columns = [min(max(math.floor(j * step_w) + left, 0), x.shape[3]),
                           min(max(math.ceil((j + 1) * step_w) + left, 0), x.shape[3])]  # fmt: skip
                part = x[int(roi[0]), :, rows[0] : rows[1], columns[0] : columns[1]]
                made[index, :, i, j] = part.max((1, 2)) if part.size else 0
    return made


FORWARD = {"Pooling": _pooling, "SPP": _pyramid, "ROIPooling": _roi}

"""SSD's layers: boxes laid out one cell after the other, detections suppressed one box after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def _prior_box(context: Any, feature: Any, image: Any) -> Any:
    p = context.params("prior_box_param")
    height, width = p.img_h or p.img_size or image.shape[2], p.img_w or p.img_size or image.shape[3]
    rows, columns = feature.shape[2:]
    step_h, step_w = p.step_h or p.step or height / rows, p.step_w or p.step or width / columns
    ratios: list[float] = []
    for each in p.aspect_ratio:
        if each != 1 and each not in ratios:
            ratios += [each, 1 / each] if p.flip else [each]
    boxes = []
    for row in range(rows):
        for column in range(columns):
            x, y = (column + p.offset) * step_w, (row + p.offset) * step_h
            for index, low in enumerate(p.min_size):
                sizes = [(low, low)]
                if p.max_size:
                    sizes.append((math.sqrt(low * p.max_size[index]),) * 2)
                sizes += [(low * math.sqrt(r), low / math.sqrt(r)) for r in ratios]
                for w, h in sizes:
                    boxes += [(x - w / 2) / width, (y - h / 2) / height, (x + w / 2) / width, (y + h / 2) / height]
    made = np.array(boxes)
    variance = p.variance or [0.1]
    spread = np.tile(variance * (4 if len(variance) == 1 else 1), len(made) // 4)
    return np.stack([made.clip(0, 1) if p.clip else made, spread])[None]


def _overlap(a: Any, b: Any) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return float(w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h))


def _decode(code: str, prior: Any, variance: Any, offset: Any) -> Any:
    if code == "CORNER":
        return prior + variance * offset
    size = prior[2:] - prior[:2]
    scaled = variance * offset
    if code == "CORNER_SIZE":
        return prior + scaled * np.tile(size, 2)
    centre = scaled[:2] * size + (prior[:2] + prior[2:]) / 2
    half = np.exp(scaled[2:]) * size / 2
    return np.concatenate([centre - half, centre + half])


def _detection_output(context: Any, location: Any, confidence: Any, priors: Any) -> Any:
    p = context.params("detection_output_param")
    nms = context.inner(p.nms_param, "nms_param")
    prior, variance = (each.reshape(-1, 4) for each in priors[0])
    if p.variance_encoded_in_target:
        variance = np.ones_like(variance)
    sets = 1 if p.share_location else p.num_classes
    offsets = location.reshape(len(prior), sets, 4)
    scores = confidence.reshape(len(prior), p.num_classes)
    found: list[tuple[float, int, Any]] = []
    most = 0
    for label in range(p.num_classes):
        if label == p.background_label_id:
            continue
        order = np.argsort(-scores[:, label], kind="stable")
        order = order[: nms.top_k] if nms.top_k >= 0 else order
        most += len(order)
        kept: list[Any] = []
        for index in order:
            if p.confidence_threshold is not None and scores[index, label] <= p.confidence_threshold:
                continue
            box = _decode(p.code_type, prior[index], variance[index], offsets[index, 0 if sets == 1 else label])
            if all(_overlap(box, other) <= nms.nms_threshold for other in kept):
                kept.append(box)
                found.append((scores[index, label], label, box))
    if p.keep_top_k >= 0:
        found = sorted(found, key=lambda each: -each[0])[: p.keep_top_k]
        most = min(most, p.keep_top_k)
    found.sort(key=lambda each: (each[1], -each[0]))
    made = np.full([1, 1, most, 7], -1.0)
    for row, (score, label, box) in enumerate(found):
        made[0, 0, row] = [0, label, score, *box]
    return made


FORWARD = {"PriorBox": _prior_box, "DetectionOutput": _detection_output}

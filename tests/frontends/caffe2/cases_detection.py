"""Detectron's operators, fed with boxes that overlap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.frontends.caffe2.cases import Case


def _boxes(count: int, number: bool, seed: int = 1, size: float = 40.0, images: int = 1) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    corner = random.uniform(0, size, (count, 2))
    rows = np.concatenate([corner, corner + random.uniform(4, size, (count, 2))], axis=1)
    if number:
        rows = np.concatenate([np.sort(random.integers(0, images, (count, 1)), axis=0), rows], axis=1)
    return {"values": rows.round(3).tolist(), "dtype": "float32"}


def _floats(*rows: Any) -> dict[str, Any]:
    return {"values": list(rows), "dtype": "float32"}


def _net(kind: str, feeds: dict[str, Any], outputs: list[str], name: str = "", **arguments: Any) -> Case:
    return Case(f"{kind} {name}".strip(), [(kind, list(feeds), outputs, arguments)], feeds, outputs=outputs)


def _cases() -> Iterator[Case]:
    pooled = {"pooled_h": 3, "pooled_w": 2, "spatial_scale": 0.25}
    yield _net("RoIAlign", {"x": [2, 3, 20, 18], "r": _boxes(5, True, images=2)}, ["y"], sampling_ratio=2, **pooled)
    yield _net("RoIAlign", {"x": [1, 3, 20, 18], "r": _boxes(5, False)}, ["y"], "adaptive", sampling_ratio=0, **pooled)
    yield _net("RoIAlign", {"x": [1, 20, 18, 3], "r": _boxes(5, True)}, ["y"], "channels last", order="NHWC",
               sampling_ratio=2, **pooled)  # fmt: skip
    yield _net("RoIPool", {"x": [1, 3, 20, 18], "r": _boxes(5, True)}, ["y"], is_test=1, **pooled)
    info = _floats([60.0, 70.0, 1.5])
    for name, arguments in (
        ("plain", {}),
        ("weights", {"weights": [10.0, 10.0, 5.0, 5.0], "correct_transform_coords": 1}),
        ("unscaled", {"apply_scale": 0}),
    ):
        feeds = {"r": _boxes(6, True), "d": [6, 12], "i": info}
        yield _net("BBoxTransform", feeds, ["y", "splits"], name, **arguments)
    two = _floats([60.0, 70.0, 1.0], [50.0, 64.0, 2.0])
    feeds = {"r": _boxes(6, True, images=2), "d": [6, 8], "i": two}
    yield _net("BBoxTransform", feeds, ["y", "splits"], "two images")
    anchors = _floats([-8.0, -8.0, 23.0, 23.0], [-20.0, -4.0, 35.0, 19.0], [-4.0, -20.0, 19.0, 35.0])
    for name, arguments in (("all", {"pre_nms_topN": 0}), ("few", {"pre_nms_topN": 40, "min_size": 30.0})):
        feeds = {"s": [1, 3, 6, 5], "d": [1, 12, 6, 5], "i": _floats([96.0, 80.0, 1.0]), "a": anchors}
        yield _net("GenerateProposals", feeds, ["y", "p"], name, spatial_scale=1 / 16, nms_thresh=0.5,
                   post_nms_topN=12, correct_transform_coords=1, **arguments)  # fmt: skip
    boxes = np.tile(np.array(_boxes(20, False, seed=4)["values"]), (1, 3))
    boxes += np.random.default_rng(5).uniform(-3, 3, boxes.shape)
    for most in (100, 7):
        feeds = {"s": [20, 3], "b": {"values": boxes.round(3).tolist(), "dtype": "float32"}}
        outputs = ["scores", "boxes", "classes", "splits", "keeps", "sizes"]
        yield _net("BoxWithNMSLimit", feeds, outputs, f"of {most}", score_thresh=0.1, nms=0.4, detections_per_im=most)
    levels = {f"r{at}": _boxes(6, True, seed=at, size=30.0 * 2**at) for at in range(2, 5)}
    random = np.random.default_rng(6)
    probs = {f"p{at}": {"values": random.uniform(0, 1, 6).round(4).tolist(), "dtype": "float32"} for at in range(2, 5)}
    outputs = ["rois", "f2", "f3", "f4", "restore"]
    yield _net("CollectAndDistributeFpnRpnProposals", {**levels, **probs}, outputs, rpn_min_level=2, rpn_max_level=4,
               roi_min_level=2, roi_max_level=4, rpn_post_nms_topN=10)  # fmt: skip


DETECTION = list(_cases())

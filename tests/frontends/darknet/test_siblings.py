"""YOLO-Fastest in Darknet and in ncnn: one trained net; our import of the first gives what ncnn makes of the other."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from dlpipe.toolchains import Toolchains

NCNN = Path(__file__).with_name("run_ncnn.py")
TRAINED = "models/yolo_fastest/yolo-fastest-1.1"
HEADS = {"convolutional_120": "120_854", "convolutional_129": "129_922"}  # before the boxes are decoded


def test_yolo_fastest(darknet: Any, toolchains: Toolchains, shared: Path, tmp_path: Path) -> None:
    cfg, data = (shared / f"{TRAINED}.{each}" for each in ("cfg", "weights"))
    image = np.random.default_rng(0).random([1, 1, 3, 320, 320]).astype(np.float32)
    ours = darknet.run(
        darknet.source(cfg.read_text(), data.read_bytes()), {"data": image}, outputs=tuple(HEADS)
    ).outputs
    python = toolchains.ensure("ncnn").python
    assert python is not None
    np.save(tmp_path / "image.npy", image[0, 0])
    command = [python, NCNN, shared / TRAINED, "data", tmp_path / "image.npy", tmp_path / "out.npz", *HEADS.values()]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    theirs = dict(np.load(tmp_path / "out.npz"))
    for here, there in HEADS.items():
        wanted = theirs[there]
        assert ours[here][0, 0].shape == wanted.shape
        difference = np.abs(ours[here][0, 0] - wanted)  # ncnn keeps its weights as halves, through 60 layers
        assert difference.mean() < 0.005 * np.ptp(wanted)
        assert difference.max() < 0.05 * np.ptp(wanted)

"""The 60,000 training and 10,000 test images (Debian's dataset-fashion-mnist), and folders of samples made of them."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

INPUT = "x"
_MEAN, _DEVIATION = 0.2860, 0.3530  # of the training images


def read(folder: Path, part: str) -> tuple[Any, Any]:
    """part: "train" or "t10k". (float32 [N, 1, 28, 28], normalised; int64 [N])."""
    pixels = np.frombuffer(gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    images = (pixels.reshape(-1, 1, 28, 28).astype(np.float32) / 255.0 - _MEAN) / _DEVIATION
    return images.astype(np.float32), labels.astype(np.int64)


def write_samples(images: Any, labels: Any, folder: Path) -> Path:
    """As dlpipe's passes take them: sample i is exactly what is fed, a batch of one."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "samples.npz", **{INPUT: images[:, None]})
    (folder / "labels.json").write_text(json.dumps({"labels": labels.tolist()}))
    return folder

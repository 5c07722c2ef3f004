"""How good a model is on the test images, and how much better or worse than another, with intervals."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from .data import INPUT

_Z = 1.96  # 95 %
_BATCH = 500


def right(model: Path, images: Any, labels: Any) -> Any:
    """For each image whether the model's first choice is its label."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    chosen = np.concatenate([session.run(None, {INPUT: batch})[0].argmax(1) for batch in batches])
    return chosen == labels


def accuracy(found: Any) -> dict[str, Any]:
    """{value, ci95, n}, a fraction with Wilson's interval."""
    n, p = len(found), float(np.mean(found))
    middle, half = (p + _Z**2 / (2 * n)), _Z * np.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    low, high = ((middle - half) / (1 + _Z**2 / n), (middle + half) / (1 + _Z**2 / n))
    return {"value": p, "ci95": [float(low), float(high)], "n": n}


def drop(original: Any, candidate: Any) -> dict[str, Any]:
    """Points lost on the same images: {points, ci95, only_original, only_candidate}, the last two being how many images
    one has right and the other has wrong."""
    differences = 100.0 * (original.astype(np.float64) - candidate.astype(np.float64))
    mean, half = float(differences.mean()), float(_Z * differences.std(ddof=1) / np.sqrt(len(differences)))
    return {
        "points": mean,
        "ci95": [mean - half, mean + half],
        "n": len(differences),
        "only_original": int((original & ~candidate).sum()),
        "only_candidate": int((~original & candidate).sum()),
    }

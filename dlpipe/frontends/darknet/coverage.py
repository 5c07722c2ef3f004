"""What of Darknet's layers this converter takes, held against the section names of both Darknets' parsers."""

from __future__ import annotations

from typing import Any

from .handlers import HANDLERS, LIMITS

# string_to_layer_type of the public sources (Redmon's and AlexeyAB's), the long names.
KNOWN = [
    "activation", "avgpool", "batchnorm", "connected", "contrastive", "convolutional", "conv_lstm", "cost", "crnn",
    "crop", "deconvolutional", "detection", "dropout", "empty", "gaussian_yolo", "gru", "history", "implicit_add",
    "implicit_mul", "iseg", "l2norm", "local", "local_avgpool", "logistic", "lstm", "maxpool", "normalization",
    "region", "reorg", "reorg3d", "rnn", "route", "sam", "scale_channels", "shortcut", "softmax", "upsample",
    "yolo",
]  # fmt: skip
_SHORT = {"avg", "conn", "conv", "deconv", "lrn", "max", "soft"}


def coverage() -> dict[str, Any]:
    """See contracts/frontend.py."""
    found = {}
    for name in sorted({*KNOWN, *HANDLERS} - _SHORT):
        support = "none" if name not in HANDLERS else "partial" if name in LIMITS else "full"
        found[name] = {"support": support, "note": LIMITS.get(name)}
    return {"operators": found, "source": "the layer types of pjreddie/darknet and AlexeyAB/darknet"}

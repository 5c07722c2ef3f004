"""Handlers of Caffe's layers, by kind. Importing this package registers them."""

from . import (
    activations,
    arithmetic,
    convolution,
    dense,
    detection,
    normalising,
    pooling,
    recurrent,
    regions,
    selecting,
    shaping,
    sources,
    upsampling,
)

__all__ = [
    "activations",
    "arithmetic",
    "convolution",
    "dense",
    "detection",
    "normalising",
    "pooling",
    "recurrent",
    "regions",
    "selecting",
    "shaping",
    "sources",
    "upsampling",
]

"""Importing this fills the table."""

from . import (
    attending,
    convolving,
    cutting,
    elementwise,
    matrices,
    normalising,
    pooling,
    quantised,
    recurrent,
    reducing,
    resizing,
    shaping,
)
from .table import OPERATORS, Args, Compute, Site

__all__ = [
    "OPERATORS",
    "Args",
    "Compute",
    "Site",
    "attending",
    "convolving",
    "cutting",
    "elementwise",
    "matrices",
    "normalising",
    "pooling",
    "quantised",
    "recurrent",
    "reducing",
    "resizing",
    "shaping",
]

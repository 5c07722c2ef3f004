"""A handler for each layer type, in files by kind."""

from __future__ import annotations

from importlib import import_module

_KINDS = (
    "activating", "arithmetic", "attending", "convolving", "cutting", "deconvolving", "dense", "normalising", "pooling",
    "recurrent", "reducing", "resizing", "shaping", "shuffling",
)  # fmt: skip


def load_handlers() -> None:
    """Fill `step.HANDLERS`."""
    for kind in _KINDS:
        import_module(f".{kind}", __package__)

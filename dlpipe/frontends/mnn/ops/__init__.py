"""A handler for each operator, in files by kind."""

from __future__ import annotations

from importlib import import_module

_KINDS = (
    "convolving",
    "cutting",
    "elementwise",
    "matrices",
    "normalising",
    "pooling",
    "quantised",
    "resizing",
    "shaping",
)


def load_handlers() -> None:
    """Fill `step.HANDLERS`."""
    for kind in _KINDS:
        import_module(f".{kind}", __package__)

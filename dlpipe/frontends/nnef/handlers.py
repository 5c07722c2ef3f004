"""All converters of operations: importing this fills the table."""

from . import (  # noqa: F401 - each enters its own
    convolving,
    elementwise,
    normalising,
    pooling,
    quantising,
    reducing,
    resizing,
    shaping,
    sources,
    tract,
)
from .step import HANDLERS, LIMITS

__all__ = ["HANDLERS", "LIMITS"]

"""All converters of layers: importing this fills the table."""

from . import heads, layers, moving  # noqa: F401 - each enters its own
from .step import HANDLERS, LIMITS

__all__ = ["HANDLERS", "LIMITS"]

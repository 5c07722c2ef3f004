"""All converters of operations: importing this fills the table."""

from . import convolving as _convolving  # noqa: F401
from . import elementwise as _elementwise  # noqa: F401
from . import normalising as _normalising  # noqa: F401
from . import pooling as _pooling  # noqa: F401
from . import quantising as _quantising  # noqa: F401
from . import reducing as _reducing  # noqa: F401
from . import resizing as _resizing  # noqa: F401
from . import shaping as _shaping  # noqa: F401
from . import sources as _sources  # noqa: F401
from . import tract as _tract  # noqa: F401
from .step import HANDLERS, LIMITS

__all__ = ["HANDLERS", "LIMITS"]

"""dlpipe: a model conversion and compilation pipeline.

    import dlpipe
    report, out = dlpipe.convert("model.pb", target="arm64", data="clips/")

Names are loaded on first use, so that `import dlpipe` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlpipe.contracts.figure import Figure
    from dlpipe.errors import (
        BadModel,
        DlpipeError,
        GateFailed,
        Interrupted,
        StageFailed,
        ToolMissing,
        Unsupported,
        UserError,
    )
    from dlpipe.pipeline.api import compress, convert
    from dlpipe.report.compression import Compression
    from dlpipe.report.schema import Report

__version__ = "0.1.0"

_HOMES = {
    "compress": "dlpipe.pipeline.api",
    "convert": "dlpipe.pipeline.api",
    "Compression": "dlpipe.report.compression",
    "Figure": "dlpipe.contracts.figure",
    "Report": "dlpipe.report.schema",
    **dict.fromkeys(
        (
            "BadModel",
            "DlpipeError",
            "GateFailed",
            "Interrupted",
            "StageFailed",
            "ToolMissing",
            "Unsupported",
            "UserError",
        ),
        "dlpipe.errors",
    ),
}

__all__ = [
    "BadModel",
    "Compression",
    "DlpipeError",
    "Figure",
    "GateFailed",
    "Interrupted",
    "Report",
    "StageFailed",
    "ToolMissing",
    "Unsupported",
    "UserError",
    "compress",
    "convert",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dlpipe' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)

"""What ONNX Runtime says of a model when it loads it is the model's fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import onnxruntime as ort
from dlpipe_worker import Refused

_STATE = ort.capi.onnxruntime_pybind11_state
_KINDS = (_STATE.NotImplemented, _STATE.InvalidGraph, _STATE.InvalidProtobuf, _STATE.InvalidArgument, _STATE.Fail)


@contextmanager
def refusing() -> Iterator[None]:
    """Raises Refused for these: they have no common base class."""
    try:
        yield
    except _KINDS as error:
        raise Refused(f"ONNX Runtime does not take the model: {error}", kind="unsupported") from error

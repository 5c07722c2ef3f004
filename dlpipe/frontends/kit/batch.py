"""Whether the first dim of all inputs is a batch: told by what the original, and then its export, make of two samples
at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import onnx_runtime

_CLOSE = 1e-3  # of the output's range: two samples at once may take another path through a kernel


def reason_against(alone: Sequence[Any], beside: Sequence[Any], together: Sequence[Any]) -> str | None:
    """Why the batch must stay as it is; None where it is free. The original's outputs of one sample, of another one,
    and of both at once."""
    for one, two, both in zip(alone, beside, together, strict=True):
        if one.ndim == 0 or two.shape != one.shape or both.shape != (2 * one.shape[0], *one.shape[1:]):
            return "an output does not grow with it"
        if one.shape[0] != 1 or not _equal(np.concatenate([one, two]), both):
            return "the samples are not computed apart from each other"
    return None


def wrong(
    model: Path | bytes, names: Sequence[str], cases: Sequence[tuple[Sequence[Any], Sequence[Any]]]
) -> str | None:
    """Why the export with a free batch is not to be used; None where it computes as the original does.

    names: of the inputs, of which the model may have lost some. cases: (inputs, outputs) of the original.
    """
    try:
        session = onnx_runtime.open_session(model, optimised=True)
        known = {each.name for each in session.get_inputs()}
        for given, wanted in cases:
            found = session.run(None, {name: each for name, each in zip(names, given, strict=True) if name in known})
            if not all(_equal(want, got) for want, got in zip(wanted, found, strict=True)):
                return "the exporter makes a model that is right for one batch size only"
    except onnx_runtime.TROUBLE as error:
        return f"with a free batch ONNX Runtime does not run what the exporter makes: {onnx_runtime.said(error)}"
    return None


def _equal(want: Any, got: Any) -> bool:
    if want.shape != got.shape:
        return False
    if want.dtype.kind != "f":
        return bool((want == got).all())
    span = max(float(np.ptp(want)), 1e-6) if want.size else 0.0
    return bool(np.allclose(want, got, rtol=1e-4, atol=_CLOSE * span, equal_nan=True))

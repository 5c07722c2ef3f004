"""Python functions -> ONNX by jax2onnx, with a free batch where original and export allow it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import ports
from .program import Program

OPSET = 21
_CLOSE = 1e-3  # of the output's range


def convert(request: Request, program: Program) -> Any:
    """The ModelProto. Raises Refused."""
    if not program.free:
        raise Refused("jax2onnx takes no exported functions", kind="unsupported")
    against = _reason_against(request, program)
    if against is None:
        free: list[tuple[int | str, ...]] = [(ports.BATCH, *shape[1:]) for _, shape, _ in program.inputs]
        try:
            model = _export(program, free)
            if _holds(program, model):
                return model
            against = "jax2onnx makes a model that is right for one batch size only"
        except Refused as error:
            against = f"with a free batch {error}"
    request.note(f"the batch is fixed: {against}")
    return _export(program, [shape for _, shape, _ in program.inputs])


def _export(program: Program, shapes: Sequence[Sequence[int | str]]) -> Any:
    import jax2onnx

    structs = [
        jax.ShapeDtypeStruct(tuple(shape), dtype) for shape, (_, _, dtype) in zip(shapes, program.inputs, strict=True)
    ]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = jax2onnx.to_onnx(
                program.call,
                inputs=structs,
                opset=OPSET,
                input_names=[name for name, _, _ in program.inputs],
                output_names=program.outputs,
            )
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0]
        raise Refused(f"jax2onnx fails: {type(error).__name__}: {text[:300]}", kind="unsupported") from error
    model.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    return model


def _reason_against(request: Request, program: Program) -> str | None:
    """Why the batch must stay as it is: told by running the original with two samples at once."""
    if ports.BATCH in (request.params.get("dims") or {}):
        return "the user settled it"
    if not program.inputs or any(not shape or shape[0] != 1 for _, shape, _ in program.inputs):
        return "not every input has a first dim of 1"
    one, two = _examples(program, 1), _examples(program, 2)
    pair = [np.concatenate(both) for both in zip(one, two, strict=True)]
    try:
        alone, beside, together = (program.call(*each) for each in (one, two, pair))
    except Exception as error:  # noqa: BLE001 - JAX raises whatever does not fit
        return f"the original refuses two samples at once ({(str(error).strip().splitlines() or [''])[0][:120]})"
    for first, second, both in zip(alone, beside, together, strict=True):
        if first.ndim == 0 or first.shape[0] != 1 or both.shape != (2, *first.shape[1:]):
            return "an output does not grow with it"
        if not _equal(np.concatenate([first, second]), np.asarray(both)):
            return "the samples are not computed apart from each other"
    return None


def _holds(program: Program, model: Any) -> bool:
    """Whether the exported model computes one sample and two as the original does."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    one, two = _examples(program, 1), _examples(program, 2)
    pair = [np.concatenate(both) for both in zip(one, two, strict=True)]
    names = [name for name, _, _ in program.inputs]
    try:
        session: Any = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        known = {each.name for each in session.get_inputs()}
        for arrays in (one, pair):
            feeds = {name: each for name, each in zip(names, arrays, strict=True) if name in known}
            found = session.run(None, feeds)
            for want, got in zip(program.call(*arrays), found, strict=True):
                if want.shape != got.shape or not _equal(np.asarray(want), got):
                    return False
    except Exception:  # noqa: BLE001 - ONNX Runtime raises types of its own; the fixed batch is the way out
        return False
    return True


def _examples(program: Program, seed: int) -> list[Any]:
    random = np.random.default_rng(seed)
    return [
        (random.standard_normal(shape) if dtype.kind == "f" else random.integers(0, 2, shape)).astype(dtype)
        for _, shape, dtype in program.inputs
    ]


def _equal(want: Any, got: Any) -> bool:
    if want.dtype.kind != "f":
        return bool((want == got).all())
    span = max(float(np.ptp(want)), 1e-6) if want.size else 0.0
    return bool(np.allclose(want, got, rtol=1e-4, atol=_CLOSE * span, equal_nan=True))

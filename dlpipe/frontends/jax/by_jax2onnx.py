"""Python functions -> ONNX by jax2onnx, with a free batch where original and export allow it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import batch, ports
from .program import Program

OPSET = 21


def convert(request: Request, program: Program) -> Any:
    """The ModelProto. Raises Refused."""
    if not program.free:
        raise Refused("jax2onnx takes no exported functions", kind="unsupported")
    against = _reason_against(request, program)
    if against is None:
        free: list[tuple[int | str, ...]] = [(ports.BATCH, *shape[1:]) for _, shape, _ in program.inputs]
        try:
            model = _export(program, free)
            against = _wrong(program, model)
            if against is None:
                return model
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
    try:
        answers = [_answers(program, each) for each in _given(program)]
    except Exception as error:  # noqa: BLE001 - JAX raises whatever does not fit
        return f"the original refuses two samples at once ({(str(error).strip().splitlines() or [''])[0][:120]})"
    return batch.reason_against(*answers)


def _wrong(program: Program, model: Any) -> str | None:
    """Why the exported model is not to be used: see `kit.batch.wrong`."""
    one, _, pair = _given(program)
    names = [name for name, _, _ in program.inputs]
    return batch.wrong(model.SerializeToString(), names, [(each, _answers(program, each)) for each in (one, pair)])


def _given(program: Program) -> tuple[list[Any], list[Any], list[Any]]:
    """A sample, another one, and both at once."""
    one, two = _examples(program, 1), _examples(program, 2)
    return one, two, [np.concatenate(both) for both in zip(one, two, strict=True)]


def _answers(program: Program, arrays: Sequence[Any]) -> list[Any]:
    return [np.asarray(each) for each in program.call(*arrays)]


def _examples(program: Program, seed: int) -> list[Any]:
    random = np.random.default_rng(seed)
    return [
        (random.standard_normal(shape) if dtype.kind == "f" else random.integers(0, 2, shape)).astype(dtype)
        for _, shape, dtype in program.inputs
    ]

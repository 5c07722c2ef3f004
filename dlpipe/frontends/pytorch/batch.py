"""Whether the first dim of the inputs is a batch: told by running the original with two samples at once."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from .program import Program

_CLOSE = 1e-3  # of the output's range: two samples at once may take another path through a kernel


def reason_against(program: Program) -> str | None:
    """Why the batch must stay as it is; None where it is free."""
    if program.states:
        return "the model keeps a state for one stream"
    examples = program.examples()
    if not examples or any(each.dim() == 0 or each.shape[0] != 1 for each in examples):
        return "not every input has a first dim of 1"
    if program.kind == "script":
        program = copy.deepcopy(program)
    other = [_another(each) for each in examples]
    pair = [torch.cat(both) for both in zip(examples, other, strict=True)]
    try:
        alone, beside, together = program.run(examples), program.run(other), program.run(pair)
    except Exception as error:  # noqa: BLE001 - a network raises whatever does not fit
        return f"the original refuses two samples at once ({(str(error).strip().splitlines() or [''])[-1][:120]})"
    for one, two, both in zip(alone, beside, together, strict=True):
        if one.dim() == 0 or both.shape != (2 * one.shape[0], *one.shape[1:]) or two.shape != one.shape:
            return "an output does not grow with it"
        if one.shape[0] != 1 or not _equal(torch.cat([one, two]), both):
            return "the samples are not computed apart from each other"
    return None


def doubled(examples: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Two samples: an export that sees a size of one takes it for a constant."""
    return tuple(torch.cat([each, _another(each)]) for each in examples)


def _another(example: torch.Tensor) -> torch.Tensor:
    if example.dtype.is_floating_point:
        return example.flip(-1) * 0.5 + 0.1
    return example.flip(-1)


def _equal(want: torch.Tensor, got: torch.Tensor) -> bool:
    if not want.dtype.is_floating_point:
        return bool(torch.equal(want, got))
    span = float(want.max() - want.min()) if want.numel() else 0.0
    return bool(torch.allclose(want, got, rtol=1e-4, atol=_CLOSE * max(span, 1e-6), equal_nan=True))


def holds(program: Program, path: Path) -> bool:
    """Whether the exported model computes one sample and two as the original does."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    names = program.input_names
    try:
        session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        known = {each.name for each in session.get_inputs()}
        for tensors in (program.examples(), doubled(program.examples())):
            feeds = {name: each.numpy() for name, each in zip(names, tensors, strict=True) if name in known}
            found = session.run(None, feeds)
            for want, got in zip(program.run(tensors), found, strict=True):
                if want.shape != got.shape or not _equal(want, torch.from_numpy(got)):
                    return False
    except Exception:  # noqa: BLE001 - ONNX Runtime raises types of its own; the fixed batch is the way out
        return False
    return True

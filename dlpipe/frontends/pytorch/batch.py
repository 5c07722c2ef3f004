"""Whether the first dim of the inputs is a batch: told by running the original with two samples at once."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..kit import batch
from .program import Program


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
        answers = [_arrays(program.run(each)) for each in (examples, other, pair)]
    except Exception as error:  # noqa: BLE001 - a network raises whatever does not fit
        return f"the original refuses two samples at once ({(str(error).strip().splitlines() or [''])[-1][:120]})"
    return batch.reason_against(*answers)


def wrong(program: Program, path: Path) -> str | None:
    """Why the exported model is not to be used: see `kit.batch.wrong`."""
    given = [program.examples(), doubled(program.examples())]
    cases = [(_arrays(tensors), _arrays(program.run(tensors))) for tensors in given]
    return batch.wrong(path, program.input_names, cases)


def doubled(examples: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Two samples: an export that sees a size of one takes it for a constant."""
    return tuple(torch.cat([each, _another(each)]) for each in examples)


def _another(example: torch.Tensor) -> torch.Tensor:
    if example.dtype.is_floating_point:
        return example.flip(-1) * 0.5 + 0.1
    return example.flip(-1)


def _arrays(tensors: Sequence[torch.Tensor]) -> list[Any]:
    """NumPy has no bfloat16: float32 holds the same numbers."""
    return [(each.float() if each.dtype is torch.bfloat16 else each).detach().numpy() for each in tensors]

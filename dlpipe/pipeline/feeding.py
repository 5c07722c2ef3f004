"""The stages that make `samples.npz` for a model: from the user's data, through its preprocessing, or generated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from dlpipe.data import picture_call, prepare_call, read_call
from dlpipe.errors import UserError
from dlpipe.frontends.registry import find_frontend
from dlpipe.ir.calls import generate_call
from dlpipe.ir.contract import Contract, PicturePreprocessing
from dlpipe.pipeline.request import GENERATED_SAMPLES, NATIVE_SAMPLES, SAMPLES_MEMORY, SEED
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage

_ELEMENT = 4  # bytes: nearly all inputs are float32


def generated(feeds: str, dims: Mapping[str, int], *, name: str = "samples") -> list[Stage]:
    """Deterministic inputs by dtype and shape. `feeds` is the folder whose contract says what the model takes."""
    return [Stage(name, "data", generate_call(GENERATED_SAMPLES, SEED, dict(dims)), {"ir": feeds})]


def from_data(
    session: Session,
    data: str,
    contract: Contract,
    feeds: str,
    *,
    labels: Sequence[str] = (),
    name: str = "samples",
    limit: int = NATIVE_SAMPLES,
) -> list[Stage]:
    """Read the user's data, run what was cut off the model on it, and bind it to the model's inputs. Of more samples
    than `limit` that many are chosen."""
    files, call = read_call(data, limit=limit, seed=SEED)
    stages = [Stage(f"{name}:read", "data", call, {"data": f"tree:{session.store.ingest_files(files).digest}"})]
    for number, part in enumerate(contract.preprocessing):
        stage = f"{name}:preprocess" if number == 0 else f"{name}:preprocess{number + 1}"
        if isinstance(part, PicturePreprocessing):
            call = picture_call(part.input, part.steps, always=part.always)
            stages.append(Stage(stage, "data", call, {"ir": feeds, "data": stages[-1].id}))
        else:
            call = find_frontend(part.frontend).preprocess_call()
            stages.append(Stage(stage, "data", call, {"imported": feeds, "data": stages[-1].id}))
    prepare = prepare_call(limit, SEED, list(labels or contract.labels))
    return [*stages, Stage(name, "data", prepare, {"ir": feeds, "data": stages[-1].id})]


def affordable(contract: Contract, wanted: int) -> int:
    """How many samples of the model's inputs, at most `wanted`, fit the memory that a set of samples may take; never
    fewer than are measured on by default."""
    elements = sum(math.prod(dim for dim in port.shape if isinstance(dim, int)) for port in contract.inputs)
    return min(wanted, max(SAMPLES_MEMORY // (_ELEMENT * max(elements, 1)), NATIVE_SAMPLES))


def read_labels(path: Path) -> tuple[str, ...]:
    """One class name a line, empty lines left out. Raises UserError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the labels: {error}", hint="a text file with one class name a line") from error
    return tuple(line.strip() for line in text.splitlines() if line.strip())

"""The stages that make `samples.npz` for a model: from the user's data, through its preprocessing, or generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dlpipe.data import prepare_call, read_call
from dlpipe.errors import UserError
from dlpipe.frontends.registry import find_frontend
from dlpipe.ir.calls import generate_call
from dlpipe.ir.contract import Contract
from dlpipe.pipeline.request import GENERATED_SAMPLES, NATIVE_SAMPLES, SEED
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage


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
) -> list[Stage]:
    """Read the user's data, run what was cut off the model on it, and bind it to the model's inputs."""
    files, call = read_call(data, limit=NATIVE_SAMPLES, seed=SEED)
    stages = [Stage(f"{name}:read", "data", call, {"data": f"tree:{session.store.ingest_files(files).digest}"})]
    for part in contract.preprocessing:
        call = find_frontend(part.frontend).preprocess_call()
        stages.append(Stage(f"{name}:preprocess", "data", call, {"imported": feeds, "data": stages[-1].id}))
    prepare = prepare_call(NATIVE_SAMPLES, SEED, list(labels or contract.labels))
    return [*stages, Stage(name, "data", prepare, {"ir": feeds, "data": stages[-1].id})]


def read_labels(path: Path) -> tuple[str, ...]:
    """One class name a line, empty lines left out. Raises UserError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the labels: {error}", hint="a text file with one class name a line") from error
    return tuple(line.strip() for line in text.splitlines() if line.strip())

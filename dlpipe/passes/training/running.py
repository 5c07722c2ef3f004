"""One training from its inputs to its state, up to a share of the whole: by a team's leader, or by who follows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx_ir as ir
import torch

from ..graph import files, inference
from ..graph.infra import Work
from . import ranks
from .loop import Job, train
from .settings import Settings
from .state import State
from .team import Team

Prepare = Callable[[ir.Model, ir.Model, Work, Settings, Path | None, Team], Job]


def lead(
    model: ir.Model, work: Work, events: Path, prepare: Prepare, *, until: float = 1.0
) -> tuple[State, dict[str, Any]]:
    """From `work.inputs["state"]` on, where there is one. Returns the state and what the stage's value says of it."""
    settings = Settings.of(work.params)
    with ranks.leading(settings, {"params": {**work.params, "until": until}, "inputs": _named(work)}) as team:
        job = prepare(model, _teacher(work), work, settings, events, team)
        state = _state(work)
        train(job, state, until)
        job.logbook.close()
    return state, report(state, job)


def follow(work: Work, prepare: Prepare, rank: int, count: int, meeting: Path) -> None:
    """As a further member of the team that meets there."""
    settings = Settings.of(work.params)
    with ranks.joined(settings, rank, count, meeting) as team:
        job = prepare(load(work), _teacher(work), work, settings, None, team)
        train(job, _state(work), work.params["until"])


def load(work: Work) -> ir.Model:
    """The model as a pass gets it."""
    model = files.load(work.inputs["ir"])
    inference.infer(model)
    return model


def _state(work: Work) -> State:
    return State.load(work.inputs["state"]) if "state" in work.inputs else State()


def _teacher(work: Work) -> ir.Model:
    return files.load(work.inputs["teacher" if "teacher" in work.inputs else "ir"])


def _named(work: Work) -> dict[str, str]:
    return {name: str(folder) for name, folder in work.inputs.items()}


def report(state: State, job: Job) -> dict[str, Any]:
    return {
        "steps": state.step,
        "best_step": state.best_step,
        "samples": len(job.data.train),
        "trained_values": sum(weight.numel() for _, weight in job.network.learned()),
        "seconds": round(state.seconds, 3),
        "processes": job.team.size,
        "device": str(job.team.device),
        "history": state.history,
        "tool": f"torch {torch.__version__}",
    }

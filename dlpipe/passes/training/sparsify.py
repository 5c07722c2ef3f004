"""Sparsity that grows while the weights are trained."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from ..graph import files
from ..graph.infra import GraphPass, Rewritten, Work, constant
from ..pruning.magnitude import Goal, masks, sparsity_at
from ..pruning.prune_weights import candidates, goal_of, report
from ..torch_module import weights
from . import running
from .loop import Job, train
from .masks import Masks
from .preparing import prepare
from .settings import Settings
from .state import State

_TIMES = 20  # that weights go, on the way to the goal


class Sparsify(GraphPass):
    """Set the smallest weights to zero little by little, training all along.

        x -> Conv([.8, -.1, .05, -.6]) -> y      becomes      x -> Conv([.9, 0, 0, -.7]) -> y

    Requires what `fine-tune` and `prune-weights` do. Ensures exact zeros. Lossy. No runtime here is faster for it (see
    `prune-weights`). params: those of both, and until: the share of the training over which the sparsity rises, along
    the cubic schedule of Zhu and Gupta 2017; in the rest the weights that stay recover. A pattern n:m is set at the
    start. Of the training after the last cut, the weights that are best on what is held out are kept.
    """

    def __init__(self, events: Path) -> None:
        self._events = events

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        goal, until = goal_of(work.params), work.params["until"]
        if not 0.0 < until < 1.0:
            raise Refused(f"until={until!r} must be a share between 0 and 1", kind="unsupported")
        lifted = common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model).modified
        found = candidates(model, work.params["exclude"])
        before = {name: constant(value) for name, (value, _, _) in found.items()}
        settings = Settings.of({**work.params, "keep_zeros": True, "processes": 1})
        teacher = files.load(work.inputs["teacher"]) if "teacher" in work.inputs else files.load(work.inputs["ir"])
        job = prepare(model, teacher, work, settings, self._events)
        state = _train(job, goal, {name: axis for name, (_, axis, _) in found.items()}, until)
        job.logbook.close()
        changed = weights.write(model, {name: tensor.numpy() for name, tensor in state.best.items()})
        after = {name: constant(value) for name, (value, _, _) in found.items()}
        changes = ["constants are initializers"] if lifted else []
        if changed:
            changes.append(f"{len(changed)} tensors of weights trained for {state.step} steps")
        details = {**report(found, before, after), **running.report(state, job)}
        return Rewritten(model, changes, details)


def _train(job: Job, goal: Goal, axes: dict[str, int], until: float) -> State:
    learned = [name for name, _ in job.network.learned() if name in axes]
    state = State()
    times = 1 if goal.pattern else _TIMES
    start = _zeros(job, learned)
    for turn in range(1, times + 1):
        wanted = replace(goal, sparsity=sparsity_at(turn / times, min(start, goal.sparsity), goal.sparsity))
        job.masks = Masks(job.network, masks(_arrays(job, learned), axes, wanted))
        job.masks.apply()
        if state.step:
            state.weights = job.network.snapshot()
        if turn < times:
            train(job, state, until * turn / times)
    state.best_score, state.best, state.finished, state.without_progress = [], {}, False, 0
    train(job, state)
    state.best = state.best or job.network.snapshot()
    return state


def _arrays(job: Job, names: list[str]) -> dict[str, Any]:
    return {name: job.network.parameter(name).detach().cpu().numpy() for name in names}


def _zeros(job: Job, names: list[str]) -> float:
    arrays = _arrays(job, names).values()
    return float(sum((array == 0).sum() for array in arrays) / sum(array.size for array in arrays))

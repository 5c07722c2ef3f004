"""The training loop: steps, evaluations on what is held out, the best weights kept."""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from dlpipe_worker import Refused

from ..torch_module.network import Network
from .augmenting import augment
from .data import Data, batches, per_epoch
from .logbook import Logbook
from .masks import Masks
from .objective import Objective
from .optimising import optimizer, rate_at
from .settings import Settings
from .state import State
from .team import Team

_EVALUATED = 256  # samples at once


@dataclass
class Job:
    """What `train` works on. `masks` may be replaced between two calls of it, as a schedule of sparsity does."""

    network: Network
    objective: Objective
    data: Data
    settings: Settings
    team: Team
    masks: Masks
    logbook: Logbook


def train(job: Job, state: State, until: float = 1.0) -> None:
    """From where `state` stands to the share `until` (0 to 1) of the whole, in place. The network then has the last
    weights, `state.best` the best ones."""
    settings, network = job.settings, job.network
    batch = _batch(job)
    each = per_epoch(job.data, batch)
    total = settings.steps or max(1, math.ceil(settings.epochs * each))
    every = each if settings.minutes else max(1, min(each, total // 4))
    made = optimizer(network, settings)
    if state.step:
        network.restore(state.weights)
        made.load_state_dict(state.optimizer)
    job.masks.apply()
    if not state.step:
        _judge(job, state, 0.0)
    spread = job.team.spread(job.objective)
    stream = batches(job.data, batch, settings.seed, state.step)
    started = time.monotonic() - state.seconds
    while not state.finished:
        share = _share(job, state.step / total, time.monotonic() - started)
        if share >= until:
            break
        for group in made.param_groups:
            group["lr"] = rate_at(share, settings)
        loss = _step(job, spread, made, next(stream), state.step)
        state.step += 1
        job.masks.apply()
        job.logbook.scalars(state.step, {**loss, "rate": rate_at(share, settings)})
        job.logbook.say(f"step {state.step}: {_figures(state, loss)}", share)
        if state.step % every == 0:
            _judge(job, state, _share(job, state.step / total, time.monotonic() - started))
            state.finished = 0 < settings.patience <= state.without_progress
    if until >= 1.0 and state.judged != state.step:
        _judge(job, state, 1.0)
    state.seconds = time.monotonic() - started
    state.weights, state.optimizer = network.snapshot(), made.state_dict()
    state.finished = state.finished or until >= 1.0


def _batch(job: Job) -> int:
    """Of all processes together: equal parts for each."""
    size, there = job.team.size, len(job.data.train)
    if there < size:
        raise Refused(f"{there} samples are too few for {size} processes", kind="unsupported")
    return max(1, min(job.settings.batch, there) // size) * size


def _share(job: Job, of_steps: float, seconds: float) -> float:
    """How much of the whole is done; by the leader's clock where there is a budget of time."""
    if not job.settings.minutes:
        return of_steps
    return min(job.team.total([seconds if job.team.leads else 0.0])[0] / (60 * job.settings.minutes), 1.0)


def _step(job: Job, spread: Any, made: Any, batch: Any, number: int) -> dict[str, float]:
    feeds, labels = tensors(job, job.team.share(batch))
    feeds = augment(feeds, job.settings.augment, [job.settings.seed, number, job.team.rank])
    job.network.train()
    made.zero_grad(set_to_none=True)
    loss, parts = spread(feeds, labels)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise Refused(
            f"the loss is {value} at step {number + 1}", kind="unsupported", hint="a lower rate, or look at the data"
        )
    loss.backward()
    made.step()
    return {"loss": value, **{f"loss/{name}": float(part) for name, part in parts.items()}}


def _judge(job: Job, state: State, share: float) -> None:
    """On the samples that are held out; keeps the weights where they are the best so far."""
    state.judged = state.step
    if not len(job.data.held_out):
        state.best, state.best_step = job.network.snapshot(), state.step
        return
    job.network.eval()
    sums = [0.0, 0.0, 0.0, 0.0]
    mine = job.team.share(job.data.held_out)
    for place in range(0, len(mine), _EVALUATED):
        chosen = mine[place : place + _EVALUATED]
        with torch.no_grad():
            loss, right, labelled = job.objective.score(*tensors(job, chosen))
        seen_now = (loss * len(chosen), right, labelled, len(chosen))
        sums = [old + new for old, new in zip(sums, seen_now, strict=True)]
    total, correct, counted, seen = job.team.total(sums)
    if not math.isfinite(total):
        raise Refused(
            f"the loss on what is held out is {total} after {state.step} steps",
            kind="unsupported",
            hint="a lower rate, or look at the data",
        )
    found = {"held-out/loss": total / seen}
    if counted:
        found["held-out/accuracy"] = correct / counted
    score = [found.get("held-out/accuracy", 0.0), -found["held-out/loss"]]
    state.without_progress += 1
    if not state.best_score or score > state.best_score:
        state.best_score, state.best, state.best_step = score, job.network.snapshot(), state.step
        state.without_progress = 0
    state.history.append({"step": state.step, **found})
    job.logbook.scalars(state.step, found)
    job.logbook.say(f"step {state.step}: {_figures(state, {})}", share)


def _figures(state: State, loss: dict[str, float]) -> str:
    words = [f"loss {loss['loss']:.4f}"] if loss else []
    if state.history:
        last = state.history[-1]
        accuracy = last.get("held-out/accuracy")
        words.append(f"held out {last['held-out/loss']:.4f}" if accuracy is None else f"held out {accuracy:.2%}")
    return ", ".join(words)


def tensors(job: Job, chosen: Any) -> tuple[dict[str, Any], Any]:
    feeds, labels = job.data.batch(np.asarray(chosen))
    where = job.team.device
    placed = {name: torch.from_numpy(array).to(where) for name, array in feeds.items()}
    return placed, None if labels is None else torch.from_numpy(labels).to(where)

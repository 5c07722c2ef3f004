"""From a model, its teacher and a folder of data to a job that can be run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from dlpipe_worker import Refused

from ..graph import inference
from ..graph.infra import Work
from ..torch_module.network import Network
from . import batching, data, matching, ranks
from .batchnorm import of_batches
from .data import Data
from .heads import Head, heads, matched
from .logbook import Logbook
from .loop import Job
from .masks import Masks
from .objective import Objective, Teacher, Weights
from .settings import Settings
from .team import Team

_ENOUGH = 16  # samples in a batch, from which its mean and variance say something
_FEW = 500  # samples; with fewer a net learns them by heart
_TRIED = 3  # samples on which a way of batching is tried


def prepare(
    model: ir.Model,
    teacher: ir.Model | None,
    work: Work,
    settings: Settings,
    events: Path | None,
    team: Team | None = None,
    *,
    build: Callable[[ir.Model, Settings], Network] | None = None,
) -> Job:
    """Raises Refused for whatever cannot be trained, before anything is. `events`: the folder for TensorBoard's files.
    Without a team, this process trains by itself. `build`: the network, where it is not simply the model's."""
    team = team or Team(device=torch.device(ranks.device(settings)))
    torch.manual_seed(settings.seed)
    network = build(model, settings) if build is not None else Network(model, freeze=settings.freeze)
    own = heads(model)
    found = data.read(work.inputs["train"], network.ports, holdout=settings.holdout, seed=settings.seed)
    if team.leads and len(found.train) < _FEW:
        work.note(
            f"{len(found.train)} samples are few to train on: what is learned may not hold for others", level="warning"
        )
    if found.labels is not None and _are_numbers(own, model, settings):
        found = replace(found, labels=found.labels.astype(np.float32))
    way = batching.choose(network, _some(found))
    taught = _teacher(model, teacher, own, found, settings) if teacher is not None else None
    task = _task(own, network, way, found, settings)
    weighed = Weights(
        settings.hard, settings.soft, settings.temperature, settings.feature_weight, settings.attention_weight
    )
    objective = Objective(network, way, task, taught, weighed)
    if (task is None or not settings.hard) and "teacher" not in work.inputs:
        raise Refused(
            "there is nothing to train for: no labels, and no teacher but the model itself",
            hint="give labels, or the original as teacher",
        )
    _leave_out_the_unused(network, objective, found, task)
    _norms(model, network, way, settings, team, work)
    network.to(team.device)
    if taught is not None:
        taught.network.to(team.device)
    masks = Masks.of_zeros(network) if settings.keep_zeros else Masks(network, {})
    return Job(network, objective, found, settings, team, masks, Logbook(events if team.leads else None, work.progress))


def _norms(model: ir.Model, network: Network, way: batching.Way, settings: Settings, team: Team, work: Work) -> None:
    """Batch norms train on the statistics of batches, where that is asked for or makes sense."""
    if not network.statistics or settings.norm == "frozen":
        return
    if way == "mapped":
        why = "samples are computed one by one here, so batch norms keep the statistics they have"
        if settings.norm == "batch":
            raise Refused(f"norm='batch': {why}", kind="unsupported", hint="export it with a free batch dimension")
        if team.leads:
            work.note(why)
    elif settings.norm == "batch" or settings.batch >= _ENOUGH:
        network.replace(of_batches(model, network, team))


def _some(found: Data) -> dict[str, Any]:
    feeds, _ = found.batch(found.train[:_TRIED])
    return {name: torch.from_numpy(array) for name, array in feeds.items()}


def _teacher(model: ir.Model, teacher: ir.Model, own: list[Head], found: Data, settings: Settings) -> Teacher | None:
    if not (settings.soft or settings.feature_weight or settings.attention_weight):
        return None
    network = Network(teacher, freeze=("*",))
    some = data.renamed(_some(found), network.inputs)
    missing = [name for name in network.inputs if name not in some]
    if missing:
        raise Refused(f"the teacher wants the inputs {missing}, which the model does not have", kind="unsupported")
    inference.infer(teacher)
    features, maps = [], []
    if settings.feature_weight:
        features = matching.pairs(model, teacher, settings.features, channels=True)
    if settings.attention_weight:
        maps = matching.pairs(model, teacher, settings.features, channels=False)
    way = batching.choose(network, some)
    return Teacher(network, way, matched(own, heads(teacher)), features, maps)


def _are_numbers(own: list[Head], model: ir.Model, settings: Settings) -> bool:
    """Whether whole numbers for labels are numbers and no classes: a model that puts out a single number, without a
    sigmoid behind it, has no classes."""
    if settings.task != "auto":
        return settings.task == "regression"
    (first, *_), outputs = own, {str(value.name): value for value in model.graph.outputs}
    shape = list(outputs[first.output].shape or ())
    return first.kind == "raw" and bool(shape) and all(size == 1 for size in shape[1:] or shape)


def _task(own: list[Head], network: Network, way: batching.Way, found: Data, settings: Settings) -> Head | None:
    """The output that the labels speak of: the first one that has a place for each class. Labels that teach nothing
    (hard=0) still judge what is held out, where they fit."""
    labels = found.labels
    if labels is None or settings.task == "none":
        return None
    numbers = bool(np.issubdtype(labels.dtype, np.floating))
    classes = 0 if numbers else int(labels.max()) + 1
    with torch.no_grad():
        shapes = {
            name: value[0] for name, value in batching.run(network, _some(found), way, [h.value for h in own]).items()
        }
    for head in own:
        size = shapes[head.value].numel()
        if numbers and size == int(np.prod(labels.shape[1:])):
            return head
        if not numbers and (size >= max(classes, 2) or (size == 1 and classes <= 2)):
            return head
    if not settings.hard:
        return None
    raise Refused(
        f"the labels {'are numbers' if numbers else f'count {classes} classes'}, and no output of the model has that "
        f"size: {[tuple(shapes[head.value].shape) for head in own]}",
        kind="unsupported",
        hint="task='none' trains on the teacher's outputs alone",
    )


def _leave_out_the_unused(network: Network, objective: Objective, found: Data, task: Head | None) -> None:
    """Weights that the loss does not depend on (of an output that nothing is asked of, say) are not trained: torch
    wants to know this before it spreads the work over processes."""
    feeds, labels = found.batch(found.train[:_TRIED])
    loss, _ = objective(
        {name: torch.from_numpy(array) for name, array in feeds.items()},
        None if labels is None or task is None else torch.from_numpy(labels),
    )
    if not loss.requires_grad:
        raise Refused("no weight of the model can be trained: the loss depends on none", kind="unsupported")
    loss.backward()
    for _, weight in list(network.learned()):
        if weight.grad is None:
            weight.requires_grad_(False)
        weight.grad = None

"""Channels ranked by what the user's data say of them."""

from typing import Any

import onnx_ir as ir
import torch
from dlpipe_worker import Refused

from ..graph import files
from ..graph.infra import Work
from ..pruning.budget import absolute_costs, relative_costs
from ..pruning.following import Product, Traced
from ..pruning.importance import Scores
from ..pruning.prune_channels import PruneChannels
from . import batching
from .data import batches
from .loop import Job, tensors
from .preparing import prepare
from .settings import Settings

_TRIED = 3  # samples, to find out how several can be given at once


class PruneChannelsByData(PruneChannels):
    """As `prune-channels`, with a criterion that asks the training data.

        x -> Conv(W[64,3,3,3]) -> Relu -> Conv(V[10,64,3,3]) -> y
        becomes
        x -> Conv(W[32,3,3,3]) -> Relu -> Conv(V[10,32,3,3]) -> y

    Requires what `prune-channels` does and samples to train on, with labels or a teacher's outputs to judge by. Ensures
    at most `macs` of the multiply-accumulates. Lossy. criterion: "taylor", the change of the loss if a channel's filter
    were zero, to first order: the square of the sum of weight times gradient over the filter, averaged over batches
    (Molchanov et al. 2019); "activation", the mean of |x| over the samples, of the channels as the next layer reads
    them. batches: how many of `batch` samples are looked at.
    """

    criteria = ("taylor", "activation")

    def __init__(self, out: Any) -> None:
        del out

    def score(self, model: ir.Model, traced: Traced, work: Work) -> Scores:
        if not isinstance(work.params["batches"], int) or work.params["batches"] < 1:
            raise Refused(f"batches={work.params['batches']!r} must be a whole number from 1 on", kind="unsupported")
        settings = Settings.of({**work.params, "processes": 1})
        teacher = files.load(work.inputs["teacher"]) if "teacher" in work.inputs else None
        job = prepare(model, teacher, work, settings, None)
        if work.params["criterion"] == "taylor":
            return _taylor(job, traced, work)
        return _activation(job, traced, work)

    def costs(self, scores: Any, criterion: str) -> Any:
        return absolute_costs(scores) if criterion == "taylor" else relative_costs(scores)


def _batches(job: Job, work: Work) -> Any:
    """(feeds, labels), batch after batch."""
    stream = batches(job.data, job.settings.batch, job.settings.seed, 0)
    for number in range(work.params["batches"]):
        work.progress("channels' importance", number / work.params["batches"])
        yield tensors(job, next(stream))


def _taylor(job: Job, traced: Traced, work: Work) -> Scores:
    learned = dict(job.network.learned())
    products = [product for product in traced.products if str(product.weight.name) in learned]
    for product in traced.products:
        if product not in products:
            traced.units.freeze(traced.made_by(product), f"{product.node.name}: the loss does not depend on it")
    sums = [0.0] * len(products)
    job.network.eval()
    for feeds, labels in _batches(job, work):
        job.objective.zero_grad(set_to_none=True)
        loss, _ = job.objective(feeds, labels)
        loss.backward()
        for number, product in enumerate(products):
            weight = learned[str(product.weight.name)]
            others = [axis for axis in range(weight.dim()) if axis != product.out]
            sums[number] += (weight.detach() * weight.grad).sum(others).square().double().cpu().numpy()
    return [(traced.made_by(product), total) for product, total in zip(products, sums, strict=True)]


def _activation(job: Job, traced: Traced, work: Work) -> Scores:
    read = {str(value.name): (value, axis) for value, axis in map(_channels_read, traced.products)}
    sums: dict[str, Any] = dict.fromkeys(read, 0.0)
    job.network.eval()
    few, _ = tensors(job, job.data.train[:_TRIED])
    way = batching.choose(job.network, few)
    for feeds, _ in _batches(job, work):
        with torch.no_grad():
            seen = batching.run(job.network, feeds, way, list(read))
        for name, (_, axis) in read.items():
            sizes = seen[name].abs().movedim(axis + 1, -1)  # the first axis is the sample's number
            sums[name] += sizes.flatten(0, -2).mean(0).double().cpu().numpy()
    found = [(traced.labels[value][axis], sums[name]) for name, (value, axis) in read.items()]
    return [(labels, numbers) for labels, numbers in found if labels is not None]


def _channels_read(product: Product) -> tuple[ir.Value, int]:
    value = product.node.inputs[0]
    assert value is not None
    assert value.shape is not None
    return value, 1 if "Conv" in product.node.op_type else len(value.shape) - 1

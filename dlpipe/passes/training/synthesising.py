"""Inputs made up from what a network's batch norms remember of its training data, where there are no data.

Noise is changed by gradient descent until means and variances before each batch norm are those that it has stored
(Cai et al. 2020, ZeroQ; Yin et al. 2020, DeepInversion), and until the network is sure of a class that was drawn for
each sample, so that all classes are there. Neighbouring pixels are held together a little. What comes out is no picture
of anything, but it excites the network as pictures do, which is enough to imitate it by.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
import torch
from dlpipe_worker import Refused
from torch.nn import functional

from ..torch_module.network import Network
from . import batching
from .heads import Head, heads

_SMOOTH = 0.05  # weight of the differences between neighbours
_SURE = 0.5  # weight of the drawn classes


@dataclass(frozen=True, slots=True)
class Plan:
    count: int
    batch: int
    steps: int
    rate: float
    seed: int


def synthesise(
    model: ir.Model, sizes: Mapping[str, list[int]], plan: Plan, progress: Callable[..., None]
) -> tuple[dict[str, Any], float, float]:
    """(input -> float32 [count, *size], the mean distance of the statistics for noise, and for what was made).
    `sizes`: of each input for one sample. Raises Refused for a model without batch norms or with other inputs."""
    norms = _norms(model)
    network = Network(model, freeze=("*",))
    for value in model.graph.inputs:
        if value.name in network.inputs and value.dtype != ir.DataType.FLOAT:
            raise Refused(f"the input {value.name!r} is {value.dtype}: only floats can be made up", kind="unsupported")
    random = torch.Generator().manual_seed(plan.seed)
    made: dict[str, list[Any]] = {name: [] for name in network.inputs}
    distances = []
    while sum(len(each) for each in next(iter(made.values()))) < plan.count:
        noise = {name: torch.randn(plan.batch, *sizes[name], generator=random) for name in network.inputs}
        feeds, first, last = _descend(network, norms, heads(model)[0], noise, plan, random)
        distances.append((first, last))
        for name, tensor in feeds.items():
            made[name].append(tensor)
        progress("making up samples", min(1.0, len(distances) * plan.batch / plan.count))
    arrays = {name: torch.cat(each)[: plan.count].numpy() for name, each in made.items()}
    first, last = (sum(each) / len(distances) for each in zip(*distances, strict=True))
    return arrays, first, last


class _Ranges:
    """Of an input nobody has said whether it goes to 1 or to 255: exp(a) * (exp(b) * noise + c) finds any range in few
    steps, and the noise keeps its own size. One range for each channel (the third axis: samples, batch, channels)."""

    def __init__(self, noise: Mapping[str, Any]) -> None:
        self.noise = {name: tensor.clone().requires_grad_() for name, tensor in noise.items()}
        self._ranges = {}
        for name, tensor in noise.items():
            sizes = [size if axis == 2 else 1 for axis, size in enumerate(tensor.shape)]
            self._ranges[name] = [torch.zeros(sizes) for _ in "abc"]
        for each in self.ranges():
            each.requires_grad_()

    def ranges(self) -> list[Any]:
        return [each for three in self._ranges.values() for each in three]

    def feeds(self) -> dict[str, Any]:
        found = {}
        for name, tensor in self.noise.items():
            size, spread, middle = self._ranges[name]
            found[name] = size.exp() * (spread.exp() * tensor + middle)
        return found


def _descend(
    network: Network,
    norms: list[tuple[str, str, str]],
    head: Head,
    noise: Mapping[str, Any],
    plan: Plan,
    random: Any,
) -> tuple[dict[str, Any], float, float]:
    """(samples, the distance of the statistics before and after). First the ranges, then all of it."""
    made = _Ranges(noise)
    way = batching.choose(network, {name: tensor[:3] for name, tensor in noise.items()})
    stored = {name: network.stored(name) for _, mean, var in norms for name in (mean, var)}
    watch = [*dict.fromkeys(value for value, _, _ in norms), head.value]
    labels: Any = None
    distances = []
    for steps, learned in (
        (plan.steps // 4, made.ranges()),
        (plan.steps - plan.steps // 4, [*made.ranges(), *made.noise.values()]),
    ):
        optimizer = torch.optim.Adam(learned, lr=plan.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
        for _ in range(steps):
            seen = batching.run(network, made.feeds(), way, watch)
            apart = sum(_apart(seen[value], stored[mean], stored[var]) for value, mean, var in norms) / len(norms)
            distances.append(float(apart.detach()))
            logits = seen[head.value].flatten(1)
            if labels is None:
                labels = torch.randint(0, logits.shape[1], (len(logits),), generator=random)
            sure = functional.cross_entropy(logits, labels) if logits.shape[1] > 1 else logits.new_zeros(())
            loss = apart + _SURE * sure + _SMOOTH * sum(_roughness(tensor) for tensor in made.noise.values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return {name: tensor.detach() for name, tensor in made.feeds().items()}, distances[0], distances[-1]


def _apart(values: Any, mean: Any, var: Any) -> Any:
    """In units of the stored deviation. The values are [N, 1, channels, *space]."""
    flat = values.flatten(0, 1).transpose(0, 1).flatten(1)
    deviation = (var + 1e-5).sqrt()
    shift = (flat.mean(1) - mean) / deviation
    spread = flat.std(1) / deviation - 1.0
    return shift.square().mean() + spread.square().mean()


def _roughness(tensor: Any) -> Any:
    if tensor.dim() != 5:
        return tensor.new_zeros(())
    return tensor.diff(dim=-1).abs().mean() + tensor.diff(dim=-2).abs().mean()


def _norms(model: ir.Model) -> list[tuple[str, str, str]]:
    """(its input, stored mean, stored variance) of each batch norm."""
    found = [node for node in model.graph if node.op_type == "BatchNormalization"]
    if not found:
        raise Refused(
            "there are no batch norms that could tell of the training data: it has none, or they are folded",
            kind="unsupported",
            hint="give the model as it was imported, before fold-batchnorm; or data",
        )
    return [(str(node.inputs[0].name), str(node.inputs[3].name), str(node.inputs[4].name)) for node in found]

"""The one number that training makes small: a module, so that torch can spread it over processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from dlpipe_worker import Refused
from torch import nn

from ..torch_module.network import Network
from . import batching, losses
from .batching import Way
from .data import renamed
from .heads import Head


@dataclass(frozen=True, slots=True)
class Teacher:
    """Computes what the student is pulled towards; never trained."""

    network: Network
    way: Way
    heads: list[tuple[Head, Head]]  # (the student's, its own)
    features: list[tuple[str, str]]
    maps: list[tuple[str, str]]

    def watched(self, side: int) -> list[str]:
        names = [pair[side].value for pair in self.heads]
        return list(dict.fromkeys([*names, *(pair[side] for pair in (*self.features, *self.maps))]))

    def __call__(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        with torch.no_grad():
            return batching.run(self.network, renamed(dict(feeds), self.network.inputs), self.way, self.watched(1))


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the parts of the loss."""

    hard: float
    soft: float
    temperature: float
    feature: float
    attention: float


class Objective(nn.Module):  # type: ignore[misc]  # torch is Any to the host
    """forward -> (loss, its parts by name)."""

    def __init__(
        self, network: Network, way: Way, task: Head | None, teacher: Teacher | None, weights: Weights
    ) -> None:
        super().__init__()
        self.network = network
        self._way, self._task, self._weights = way, task, weights
        self._teacher = teacher
        self._watch = list(dict.fromkeys([*([task.value] if task else []), *(teacher.watched(0) if teacher else [])]))

    def forward(self, feeds: dict[str, Any], labels: Any) -> tuple[Any, dict[str, Any]]:
        loss, parts, _ = self._measure(feeds, labels)
        return loss, parts

    def _measure(self, feeds: dict[str, Any], labels: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        values = batching.run(self.network, feeds, self._way, self._watch)
        parts: dict[str, Any] = {}
        weights = self._weights
        if self._task is not None and labels is not None and weights.hard:
            parts["labels"] = weights.hard * losses.labelled(values[self._task.value], labels)
        if self._teacher is not None:
            goals = self._teacher(feeds)
            if weights.soft:
                parts["teacher"] = weights.soft * sum(
                    losses.softened(
                        (ours, theirs),
                        values[ours.value],
                        goals[theirs.value],
                        weights.temperature,
                        classes=ours == self._task and not labels.is_floating_point(),
                    )
                    for ours, theirs in self._teacher.heads
                )
            for name, share, pairs, loss in (
                ("features", weights.feature, self._teacher.features, losses.relative),
                ("attention", weights.attention, self._teacher.maps, losses.attention),
            ):
                if pairs:
                    parts[name] = share * sum(loss(values[ours], goals[theirs]) for ours, theirs in pairs) / len(pairs)
        if not parts:
            raise Refused("there is nothing to train for: no labels, and no teacher whose outputs count")
        return sum(parts.values()), {name: part.detach() for name, part in parts.items()}, values

    def score(self, feeds: dict[str, Any], labels: Any) -> tuple[float, int, int]:
        """(loss, how many are right, how many count) of a batch; for classes only are there right ones."""
        loss, _, values = self._measure(feeds, labels)
        if self._task is None or labels is None or labels.is_floating_point():
            return float(loss), 0, 0
        flat = values[self._task.value].flatten(1)
        chosen = (flat[:, 0] > 0).long() if flat.shape[1] == 1 else flat.argmax(1)
        return float(loss), int(((chosen == labels) & (labels >= 0)).sum()), int((labels >= 0).sum())

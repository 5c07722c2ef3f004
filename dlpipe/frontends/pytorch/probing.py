"""Input shapes that the file does not record: guessed from the first weights, and proved by a run.

A first convolution tells the channels, a first linear layer the features, an embedding that indices are wanted; the
sizes are tried in the order below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch

from .arguments import make

_SIZES = {2: (224, 32, 28, 64, 128, 256, 299, 320, 96, 112, 416, 640), 1: (16000, 1024, 512, 128, 64), 3: (16, 32, 64)}
_STEPS = 10  # of a sequence


def shapes(weights: Mapping[str, torch.Tensor]) -> Iterator[tuple[tuple[int, ...], torch.dtype]]:
    """Candidates, the likelier first. weights: in the order in which the network has them."""
    matrices = [(name, each) for name, each in weights.items() if each.dim() >= 2 and each.is_floating_point()]
    if not matrices:
        return
    name, first = matrices[0]
    dtype = first.dtype
    if first.dim() >= 3:
        axes = first.dim() - 2
        for groups in (1, first.shape[0]):
            for size in _SIZES[axes]:
                yield (1, first.shape[1] * groups, *[size] * axes), dtype
        return
    features = int(first.shape[1])
    if "weight_ih" in name or "in_proj" in name:
        yield (1, _STEPS, features), dtype
    yield (1, features), dtype
    yield (1, _STEPS, features), dtype
    for channels in (3, 1):
        side = round((features // channels) ** 0.5)
        if side * side * channels == features:
            yield (1, channels, side, side), dtype
    yield (1, _STEPS), torch.int64


def probe(
    weights: Mapping[str, torch.Tensor], works: Callable[[torch.Tensor], bool]
) -> tuple[torch.Tensor | None, list[tuple[int, ...]]]:
    """(the first candidate that the network takes, the shapes of all of them that it takes)."""
    found: list[torch.Tensor] = []
    for shape, dtype in shapes(weights):
        example = make(shape, dtype)
        if found and len(shape) != found[0].dim():
            break
        if works(example):
            found.append(example)
            if len(found) == 2:
                break
    return (found[0] if found else None), [tuple(each.shape) for each in found]

"""Steps of the optimiser: which weights decay, and how fast each step is."""

import math
from typing import Any

import torch

from ..torch_module.network import Network
from .settings import Settings


def optimizer(network: Network, settings: Settings) -> Any:
    """Matrices and kernels decay towards zero; biases and scales do not."""
    groups: list[dict[str, Any]] = [
        {"params": [], "weight_decay": settings.weight_decay},
        {"params": [], "weight_decay": 0.0},
    ]
    for _, weight in network.learned():
        groups[0 if weight.dim() > 1 else 1]["params"].append(weight)
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=settings.rate)


def rate_at(share: float, settings: Settings) -> float:
    """At that share of the whole (0 to 1): rising over the warm-up, then along a cosine down to nearly nothing."""
    if share < settings.warmup:
        return settings.rate * max(share / settings.warmup, 0.01)
    rest = (share - settings.warmup) / (1 - settings.warmup)
    return settings.rate * max(0.5 * (1 + math.cos(math.pi * min(rest, 1.0))), 0.001)

"""Weights that are held at zero while the others are trained."""

from collections.abc import Mapping
from typing import Any

import torch

from ..torch_module.network import Network


class Masks:
    """Name of a weight in the graph -> 0 or 1 for each of its numbers, in its shape. `apply` after every step (and once
    before the first): it zeroes in place, so weights come out of training with exact zeros."""

    def __init__(self, network: Network, masks: Mapping[str, Any]) -> None:
        self._held = []
        for name, mask in masks.items():
            weight = network.parameter(name)
            kept = torch.as_tensor(mask).to(dtype=weight.dtype, device=weight.device)
            if kept.shape != weight.shape:
                raise ValueError(f"the mask of {name} has the shape {tuple(kept.shape)}, not {tuple(weight.shape)}")
            self._held.append((weight, kept))

    @classmethod
    def of_zeros(cls, network: Network) -> "Masks":
        """What is exactly zero stays zero; weights without zeros are left alone."""
        zeros = {name: weight.detach() != 0 for name, weight in network.learned() if weight.dim() > 1}
        return cls(network, {name: kept for name, kept in zeros.items() if not bool(kept.all())})

    def __len__(self) -> int:
        return len(self._held)

    def apply(self) -> None:
        with torch.no_grad():
            for weight, kept in self._held:
                weight.mul_(kept)

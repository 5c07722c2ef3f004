"""The processes that train together: one by itself here, or several that `ranks.py` has started."""

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Team:
    rank: int = 0
    size: int = 1
    device: Any = "cpu"

    @property
    def leads(self) -> bool:
        """One of them reports and writes."""
        return self.rank == 0

    def share(self, batch: Any) -> Any:
        """Its own part of a batch of sample numbers; all parts are equally large."""
        return batch[self.rank :: self.size]

    def spread(self, objective: Any) -> Any:
        """The module to be called in training steps: it averages gradients over the team."""
        if self.size == 1:
            return objective
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(objective, broadcast_buffers=True)

    def total(self, numbers: list[float]) -> list[float]:
        """Sums over the team, in double precision."""
        if self.size == 1:
            return numbers
        tensor = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(tensor)
        return [float(each) for each in tensor.tolist()]

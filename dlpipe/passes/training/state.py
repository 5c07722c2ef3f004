"""How far training has come, so that another process can go on from there."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

_FILE = "state.pt"


@dataclass
class State:
    """`weights` and `best` are tensors by name in the graph. The order of samples and their augmentation follow from
    seed and step alone, so they are not kept."""

    step: int = 0
    seconds: float = 0.0
    finished: bool = False
    weights: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)
    best_score: list[float] = field(default_factory=list)
    best_step: int = 0
    without_progress: int = 0
    judged: int = -1  # the step of the last evaluation
    history: list[dict[str, float]] = field(default_factory=list)  # one entry for each evaluation

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(dict(vars(self)), folder / _FILE)

    @classmethod
    def load(cls, folder: Path) -> "State":
        """Tensors and plain values only: nothing in the file is executed."""
        return cls(**torch.load(folder / _FILE, map_location="cpu", weights_only=True))

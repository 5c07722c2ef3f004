"""What the user asks of `compress`, independent of the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from dlpipe.contracts.backend import Backend, Target
from dlpipe.contracts.frontend import ImportOptions
from dlpipe.errors import GateFailed, UserError
from dlpipe.measure import Metric
from dlpipe.passes.recipes import Goal, Recipe
from dlpipe.pipeline.limits import UserLimits
from dlpipe.targets.registry import here

TRIALS = 16
BUDGET = 600.0  # seconds
DEFAULT_DROP = 0.5  # points, where the user sets no limit to the loss
MEASURED = 10_000  # samples at most: a drop of half a point is not told with fewer than some thousand
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def parse_budget(text: str) -> float:
    """Seconds of `90s`, `10min`, `1h`. Raises UserError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*(s|min|h)\s*", text)
    if match is None:
        raise UserError(f"--budget {text!r} is not a time", hint="e.g. 90s, 10min, 1h")
    return float(match[1]) * _SECONDS[match[2]]


def parse_goal(text: str) -> Goal:
    """Raises UserError."""
    known: dict[str, Goal] = {each: each for each in get_args(Goal)}
    if text not in known:
        raise UserError(f"--minimise {text!r} is none", hint=f"it is {' or '.join(known)}")
    return known[text]


@dataclass(frozen=True, slots=True)
class CompressRequest:
    """recipes: exactly these are tried; none: a search chooses among those that suit the target. target: None is this
    machine. backend: what compiles what is timed; None: ONNX Runtime runs the models. minimise: None follows from the
    limits, the recipes and the target."""

    model: str
    out: Path
    data: str | None = None
    train_data: str | None = None
    made_up: int = 0  # how many samples are made up from what batch norms hold, where there is no data; 0: none
    labels: Path | None = None
    metric: Metric | None = None  # None follows from what the labels are
    options: ImportOptions = field(default_factory=ImportOptions)
    recipes: tuple[Recipe, ...] = ()
    target: Target | None = None
    backend: Backend | None = None
    limits: UserLimits = field(default_factory=UserLimits)
    minimise: Goal | None = None
    gate_confidence: float | None = None
    trials: int = TRIALS
    budget: float = BUDGET
    command: str | None = None

    @property
    def quantised_for(self) -> Target | None:
        """Whose kernels decide how numbers are rounded: this machine's too, where eight-bit weights may overflow. None:
        nobody's, since who names a recipe and no target deploys it elsewhere."""
        if self.target is None:
            return None if self.recipes else here()
        return self.target if self.backend is None else self.target.quantised_for(self.backend.name)

    @property
    def timed_here(self) -> bool:
        return self.target is None or self.target.runner == "native"

    @property
    def minimised(self) -> Goal:
        if self.minimise is not None:
            return self.minimise
        limits = self.limits
        if limits.max_latency is not None or limits.min_speedup is not None:
            return "latency"
        asked_for_size = limits.max_size is not None or any(each.goal == "size" for each in self.recipes)
        return "size" if asked_for_size or self.quantised_for is None or not self.timed_here else "latency"

    def check(self) -> None:
        """Before any work is done. Raises UserError for a backend without a target, GateFailed for a limit that cannot
        be evaluated here."""
        if self.made_up and self.data is not None:
            raise UserError("--made-up-data is for where there is no data", hint="leave out --data, or --made-up-data")
        if self.backend is not None and self.target is None:
            raise UserError(f"--backend {self.backend.name} needs a --target to compile for")
        for name in ("max_latency", "min_speedup", "max_memory"):
            if getattr(self.limits, name) is not None and not self.timed_here:
                assert self.target is not None
                raise GateFailed(
                    f"--{name.replace('_', '-')} cannot be evaluated: {self.target.name} is not this machine, and no "
                    "speed is claimed from an emulator",
                    hint="leave it out, or name a target that this machine is",
                    target=self.target.name,
                )

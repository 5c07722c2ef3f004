"""Which passes there are, and their calls. Third parties add theirs through the entry points `dlpipe.passes`, each a
callable without arguments that returns an object of the `Pass` protocol."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from dlpipe.contracts.call import Call, Limits, StageClass
from dlpipe.contracts.passes import Pass, PassInfo
from dlpipe.errors import UserError
from dlpipe.ir import ARRAYS, TORCH_MODULE
from dlpipe.passes.known import exact, fusions, precision, pruning, quantisation, training

ENTRY_POINTS = "dlpipe.passes"
STANDARD = (  # what `optimize` runs, in this order
    "simplify",
    "fold-constants",
    "fold-batchnorm",
    "fuse",
    "fuse-activations",
    "fuse-gelu",
    "fuse-norms",
    "fuse-rotary",
    "fuse-attention",
    "fold-before",  # after the fusions: it would take a GELU's last factor away
    "merge-linear",
    "reshapes",
    "clean",
)
_HERE = Path(__file__).parent
_TRAINING_SECONDS = 7 * 24 * 3600
_IR = _HERE.parent / "ir"  # passes that run the model do it as the IR's operations do


@dataclass(frozen=True, slots=True)
class _Home:
    """Where passes of a family run."""

    infos: tuple[PassInfo, ...]
    toolchain: str = "core"
    worker: Path = _HERE / "worker.py"
    libraries: tuple[Path, ...] = ()
    stage_class: StageClass = "deterministic"
    limits: Limits = field(default_factory=Limits)

    def call(self, operation: str, params: dict[str, Any]) -> Call:
        return Call(
            self.toolchain,
            self.worker,
            operation,
            params,
            libraries=self.libraries,
            stage_class=self.stage_class,
            limits=self.limits,
        )


_HOMES = (
    _Home(
        (
            *exact.PASSES,
            *fusions.PASSES,
            *precision.PASSES,
            *quantisation.PASSES,
            *pruning.PASSES,
        ),
        libraries=(_IR,),
    ),
    _Home(
        (*training.PASSES, *pruning.TRAINED),
        "training",
        _HERE / "training" / "worker.py",
        (_HERE / "graph", _HERE / "pruning", TORCH_MODULE, ARRAYS),
        "sampled",
        Limits(wall_seconds=_TRAINING_SECONDS, cpu_seconds=64 * _TRAINING_SECONDS),
    ),
)


@dataclass(frozen=True, slots=True)
class _BuiltIn:
    info: PassInfo
    home: _Home

    def call(self, **params: Any) -> Call:
        unknown = sorted(set(params) - set(self.info.defaults))
        if unknown:
            known = ", ".join(sorted(self.info.defaults)) or "none"
            raise UserError(f"the pass {self.info.name} has no parameter {unknown[0]!r}", hint=f"it has: {known}")
        chosen = {**self.info.defaults, **params, "pass": self.info.name}
        call = self.home.call("apply", chosen)
        seconds = max(call.limits.wall_seconds, 2 * int(chosen.get("seconds", 0)))
        return replace(call, limits=replace(call.limits, wall_seconds=seconds))


def passes() -> list[str]:
    """All names: the built-in ones in the order of use, then those of entry points."""
    return list(_all())


def pass_info(name: str) -> PassInfo:
    """Raises UserError for a name that is not known."""
    return _find(name).info


def pass_call(name: str, **params: Any) -> Call:
    """Inputs: `ir`, and what `pass_info(name).needs` says. Output: an IR folder. Value: {modified, nodes_before,
    nodes_after, changes: [str], ...}. Raises UserError for an unknown pass or parameter."""
    return _find(name).call(**params)


def pass_parts(name: str, whole: Call) -> tuple[Call, ...]:
    """The calls that do what `whole` (a call of the pass `name`) does, one behind the other: each but the first has
    the output of the one before it as its further input `state`. One, where the pass does not come in parts."""
    if not pass_info(name).in_parts:
        return (whole,)
    count = int(whole.params["parts"])
    if count < 1:
        raise UserError(f"{name}: parts={count} is below 1")
    shares = (number / count for number in range(1, count))
    parts = (replace(whole, operation="advance", params={**whole.params, "until": share}) for share in shares)
    return (*parts, whole)


def made_up_data_call(
    count: int = 512,
    *,
    batch: int = 64,
    steps: int = 500,
    rate: float = 0.1,
    seed: int = 0,
    dims: Mapping[str, int] = MappingProxyType({}),
) -> Call:
    """Samples for a model that there are no data of, made up from the statistics that its batch norms have stored: to
    imitate a teacher on, or to calibrate. Input: `ir`, before fold-batchnorm. Output: `samples.npz`, no labels. Value:
    {"count", "noise_distance", "distance"}, how far the statistics are apart for noise and for what was made."""
    home = next(home for home in _HOMES if home.toolchain == "training")
    params = {"count": count, "batch": batch, "steps": steps, "rate": rate, "seed": seed, "dims": dict(dims)}
    return home.call("make_up", params)


def sensitivity_call(name: str, *, others_in_float: bool = True, **params: Any) -> Call:
    """What each node costs when the pass `name` lowers it. Inputs: `ir`, `samples`, and what the pass needs.

    Value: {"samples": how many, "nodes": [{"node", "op", "sqnr_db", "cosine", "agreement", "kl"}]}, the outputs against
    the float model's, the most sensitive node first. others_in_float: only that node is lowered; else all but that
    node are. As many evaluations as nodes; for the smallest set to keep, passes/sensitivity bisects.
    Raises UserError for a pass that does not choose by node.
    """
    if "keep" not in pass_info(name).defaults:
        raise UserError(f"the pass {name} has no parameter 'keep', so it cannot leave single nodes in float")
    call = pass_call(name, **params)
    return replace(
        call,
        operation="sensitivity",
        params={**call.params, "others_in_float": others_in_float},
        stage_class="hardware",
    )


def _find(name: str) -> Pass:
    found = _all()
    if name not in found:
        close = difflib.get_close_matches(name, found, 1) or [each for each in found if name and name in each]
        raise UserError(
            f"there is no pass {name!r}",
            hint=f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(found)}",
        )
    return found[name]


@cache
def _all() -> dict[str, Pass]:
    found: dict[str, Pass] = {info.name: _BuiltIn(info, home) for home in _HOMES for info in home.infos}
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda each: each.name):
        made = cast("Pass", entry.load()())
        if made.info.name in found:
            raise UserError(f"the entry point {entry.value} brings a second pass {made.info.name!r}")
        found[made.info.name] = made
    return found

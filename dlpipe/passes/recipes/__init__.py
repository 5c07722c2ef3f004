"""Recipes: named chains of passes, each a .toml beside this file or one of the user's. Host side.

A variant of a model is what a recipe makes of it; `fp16` and `int8` are recipes of one step, `fp32` is one of none.
"""

from __future__ import annotations

import difflib
import fnmatch
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from dlpipe.contracts.toml import read_toml
from dlpipe.errors import UserError
from dlpipe.passes.known.parameters import explained
from dlpipe.passes.known.values import fits
from dlpipe.passes.registry import pass_info

Precision = Literal["fp32", "fp16", "bf16", "int8", "int4"]
Goal = Literal["latency", "size"]
_HERE = Path(__file__).parent


class Range(BaseModel):
    """What a number may be in a search."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    low: FiniteFloat
    high: FiniteFloat
    step: Annotated[FiniteFloat, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self


class Sensitive(BaseModel):
    """How many of the nodes that a pass costs most may stay as they are: the search measures which these are."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    sensitive: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]


class Step(BaseModel):
    """One pass. `optional`: left out where it refuses the model or lacks its data, and at times by a search. `search`:
    parameter -> what a search tries in its place; or any word -> tables of parameters, for those that belong together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    name: str = Field(alias="pass")
    params: dict[str, Any] = Field(default_factory=dict)
    optional: bool = False
    search: dict[str, list[Any] | Range | Sensitive] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Step:
        try:
            info = pass_info(self.name)
        except UserError as error:
            raise ValueError(f"{error.message} ({error.hint})") from error
        known, takes = info.defaults, explained(info)
        for param in (*self.params, *(name for name, _ in self._searched())):
            if param not in known:
                raise ValueError(f"the pass {self.name} has no parameter {param!r}; it has {', '.join(sorted(known))}")
        for param, value in self.params.items():
            _fits(self.name, param, value, known[param])
        for param, value in (*self.params.items(), *self._searched()):
            if not fits(takes[param].values, value):
                raise ValueError(f"{param} of the pass {self.name} takes {takes[param].values}, not {value!r}")
        for param, axis in self.search.items():
            if isinstance(axis, Sensitive) and param != "keep":
                raise ValueError(f"only 'keep' is a list of nodes by their sensitivity, not {param!r}")
        empty = [param for param, axis in self.search.items() if axis == []]
        if empty:
            raise ValueError(f"the search has no value for {empty[0]}")
        return self

    @field_validator("params", "search")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        try:
            json.dumps({key: each for key, each in value.items() if not isinstance(each, BaseModel)}, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"only finite numbers, texts, true, false and lists or tables of them: {error}") from error
        return value

    def _searched(self) -> Iterator[tuple[str, Any]]:
        """Parameter and value, of all that a search tries; of what is no list, the parameter and its range."""
        for param, axis in self.search.items():
            if isinstance(axis, list) and axis and all(isinstance(value, dict) for value in axis):
                yield from (pair for value in axis for pair in value.items())
            elif isinstance(axis, list):
                yield from ((param, value) for value in axis or [None])
            elif isinstance(axis, Range):
                yield from ((param, end) for end in (axis.low, axis.high))
            else:
                yield param, axis


def _fits(name: str, param: str, value: Any, default: Any) -> None:
    """What it means is the pass's own matter, of which kind it is can be told here."""
    number = isinstance(default, int | float) and not isinstance(default, bool)
    for is_one, kinds, said in (
        (number, (int, float), "a number"),
        (isinstance(default, bool), (bool,), "true or false"),
        (isinstance(default, list | tuple), (list,), "a list"),
    ):
        if is_one and (not isinstance(value, kinds) or (number and isinstance(value, bool))):
            raise ValueError(f"{param} of the pass {name} is {said}, not {value!r}")


class Recipe(BaseModel):
    """precision: the widest numbers that its result computes in, which a backend must be able to take. tolerance: the
    class of it (`measure/tolerances.py`), where that is not the precision's own. goal: what it is for. targets:
    patterns of the names of those it is meant for; by name it can be had for any."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    summary: str
    precision: Precision
    tolerance: str | None = None
    goal: Goal = "latency"
    targets: list[str] = Field(default=["*"], min_length=1)
    steps: list[Step]

    @property
    def judged_as(self) -> str:
        return self.tolerance or self.precision

    def needs(self, *, at_least: bool = False) -> set[str]:
        """Further inputs of its passes: samples, train, teacher. at_least: of those that are not optional."""
        steps = [step for step in self.steps if not (at_least and step.optional)]
        return {need for step in steps for need in pass_info(step.name).needs}

    def suits(self, target: str) -> bool:
        return any(fnmatch.fnmatchcase(target, pattern) for pattern in self.targets)


def recipes() -> dict[str, Recipe]:
    """Those that come with dlpipe, by name."""
    return {path.stem: _built_in(path) for path in sorted(_HERE.glob("*.toml"))}


def recipe(spec: str) -> Recipe:
    """By name, or a file of the user's. Raises UserError."""
    if spec.endswith(".toml"):
        own = read_recipe(Path(spec))
        if (_HERE / f"{own.name}.toml").is_file():
            raise UserError(f"{spec}: a recipe {own.name!r} comes with dlpipe", hint="give yours another name")
        return own
    path = _HERE / f"{spec}.toml"
    names = [each.stem for each in sorted(_HERE.glob("*.toml"))]
    if spec not in names:
        near = difflib.get_close_matches(spec, names, 1)
        raise UserError(
            f"there is no recipe {spec!r}",
            hint=f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}; or name a FILE.toml",
        )
    return _built_in(path)


def read_recipe(path: Path) -> Recipe:
    """Raises UserError that names the file and each wrong field."""
    try:
        found = read_toml(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: not valid TOML: {error}") from error
    try:
        return Recipe.model_validate(found)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors())
        raise UserError(f"{path}: {faults}", hint="`dlpipe recipe show balanced` prints one that is right") from error


def params_for(step: Step, options: Mapping[str, Any]) -> dict[str, Any]:
    """The step's parameters on a target whose `[options.quantisation]` these are: how its kernels want integers goes
    before what the recipe says, in passes that make integers of activations."""
    defaults = pass_info(step.name).defaults
    wanted = {key: value for key, value in options.items() if key in defaults} if "activations" in defaults else {}
    return {**step.params, **wanted}


@cache
def _built_in(path: Path) -> Recipe:
    return read_recipe(path)


def recipe_text(spec: str) -> str:
    """The file itself, of a recipe that `recipe` finds."""
    path = Path(spec) if spec.endswith(".toml") else _HERE / f"{spec}.toml"
    return path.read_text(encoding="utf-8")

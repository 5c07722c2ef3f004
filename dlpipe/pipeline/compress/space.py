"""What a search chooses from: the recipes that suit, and the settings that their files let it try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from dlpipe.passes.recipes import Range, Recipe, Sensitive, Step, params_for, recipes
from dlpipe.passes.registry import pass_info
from dlpipe.pipeline.compress.request import CompressRequest

RECIPE = "recipe"
SENSITIVE = "sensitive"  # params["keep"] = {"sensitive": 2}: the two nodes that the pass costs most
_AS_IT_IS = "as the recipe says"

Choices = dict[str, Any]
Axis = list[Any] | Range | Sensitive


class Chooser(Protocol):
    """Of Optuna's trial, what is used here."""

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any: ...

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None) -> float: ...


def suitable(request: CompressRequest) -> list[Recipe]:
    """Those that a search tries: first those that are for what is minimised, the plainest first. One that trains is
    tried only where the user gave data for that: it takes long, and else would take its data from what decides."""
    target = request.target.name if request.target is not None else "this machine"
    found = [
        each
        for each in recipes().values()
        if each.steps
        and each.suits(target)
        and (request.train_data is not None or request.made_up or "train" not in each.needs(at_least=True))
    ]
    return sorted(found, key=lambda each: (each.goal != request.minimised, len(each.steps), each.name))


def defaults(recipe: Recipe) -> Choices:
    """The choices that leave the recipe as its file says."""
    found: Choices = {RECIPE: recipe.name}
    for key, step, axis in _axes(recipe):
        found[key] = True if axis is None else _default(step, key, axis)
    return found


def choose(chooser: Chooser, every: Mapping[str, Recipe]) -> Choices:
    """One point of the space."""
    name = chooser.suggest_categorical(RECIPE, list(every))
    found: Choices = {RECIPE: name}
    for key, _, axis in _axes(every[name]):
        if axis is None:
            found[key] = chooser.suggest_categorical(key, [True, False])
        elif isinstance(axis, Range):
            found[key] = round(chooser.suggest_float(key, axis.low, axis.high, step=axis.step), 9)  # 0.3 and no more
        else:
            found[key] = chooser.suggest_categorical(key, [_AS_IT_IS, *range(len(_values(axis)))])
    return found


def concrete(recipe: Recipe, choices: Choices, name: str) -> Recipe:
    """The recipe with these choices made."""
    steps: list[Step] = []
    for number, step in enumerate(recipe.steps, 1):
        prefix = _prefix(recipe, number, step)
        if step.optional and not choices[prefix]:
            continue
        params = dict(step.params)
        for param, axis in step.search.items():
            chosen = choices[f"{prefix}.{param}"]
            if isinstance(axis, Range):
                params[param] = chosen
            elif chosen != _AS_IT_IS:
                value = _values(axis)[chosen]
                params.update(value if isinstance(value, dict) else {param: value})
        steps.append(step.model_copy(update={"params": params}))
    return recipe.model_copy(update={"name": name, "steps": steps})


def more_in_float(recipe: Recipe) -> list[Choices]:
    """The recipe as it is but for more and more of its sensitive nodes in float."""
    return [
        {**defaults(recipe), key: index}
        for key, _, axis in _axes(recipe)
        if isinstance(axis, Sensitive)
        for index in range(len(axis.sensitive))
    ]


def signature(recipe: Recipe, options: Mapping[str, Any]) -> str:
    """The same for two recipes that do the same on a target with these options."""
    every = [(step.name, {**pass_info(step.name).defaults, **params_for(step, options)}) for step in recipe.steps]
    return repr([(name, sorted(params.items())) for name, params in every])


def _axes(recipe: Recipe) -> Iterator[tuple[str, Step, Axis | None]]:
    """(name, step, values); no values: the step is taken or left out."""
    for number, step in enumerate(recipe.steps, 1):
        prefix = _prefix(recipe, number, step)
        if step.optional:
            yield prefix, step, None
        for param, axis in step.search.items():
            yield f"{prefix}.{param}", step, axis


def _values(axis: list[Any] | Sensitive) -> list[Any]:
    """Of a list, its own; of sensitive nodes, how many: which they are is measured when a candidate wants to know."""
    return [{"keep": {SENSITIVE: count}} for count in axis.sensitive] if isinstance(axis, Sensitive) else axis


def _prefix(recipe: Recipe, number: int, step: Step) -> str:
    return f"{recipe.name}.{number}-{step.name}"


def _default(step: Step, key: str, axis: Axis) -> Any:
    if not isinstance(axis, Range):
        return _AS_IT_IS
    param = key.rpartition(".")[2]
    value = {**pass_info(step.name).defaults, **step.params}[param]
    return min(max(float(value), axis.low), axis.high)

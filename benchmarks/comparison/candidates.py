"""What is judged for a model: dlpipe's passes, chains and recipes, and what the competitors make of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dlpipe.contracts.call import Call
from dlpipe.errors import DlpipeError, Interrupted, Unsupported
from dlpipe.passes.recipes import Step, params_for, recipes
from dlpipe.passes.registry import STANDARD, pass_call, pass_info, passes

from . import processor
from .models import Model
from .words import telling
from .workshop import BENCHMARKS, Workshop

Group = Literal["fp32", "exact", "chain", "pass", "recipe", "compress", "competitor"]


@dataclass(frozen=True)
class Candidate:
    """`tree` is the digest of its folder, or None where there is none and `reason` says why."""

    name: str
    group: Group
    tree: str | None
    backends: tuple[str, ...]
    reason: str = ""
    of: str = "dlpipe"  # whose work it is
    seconds: float = 0.0
    changes: tuple[str, ...] = ()


class Maker:
    """Makes the candidates of one model."""

    def __init__(self, shop: Workshop, model: Model, settings: Mapping[str, Any]) -> None:
        self._shop = shop
        self._model = model
        self._settings = settings
        self._backends = tuple(settings["backends"])
        self._integers: Mapping[str, Any] = processor.integers()["options"]

    def all(self) -> list[Candidate]:
        plain = Candidate("fp32", "fp32", self._model.ir, self._backends)
        standard = self._chain("standard passes", "exact", _steps({"pass": name} for name in STANDARD), self._model.ir)
        start = standard.tree or self._model.ir
        return [plain, *self._exact(), standard, *self._recipes(start), *self._lossy(start), *self._competitors()]

    def _exact(self) -> Iterable[Candidate]:
        names = [name for name in passes() if pass_info(name).exact and not pass_info(name).changes_interface]
        return [self._chain(name, "exact", [Step.model_validate({"pass": name})], self._model.ir) for name in names]

    def _recipes(self, start: str) -> Iterable[Candidate]:
        """Each as `dlpipe convert` makes it for the CPU that this is."""
        return [self._chain(name, "recipe", each.steps, start) for name, each in recipes().items() if each.steps]

    def _lossy(self, start: str) -> Iterable[Candidate]:
        """The chains of the settings, and alone the lossy passes that neither they nor a recipe of one step has."""
        chains: Mapping[str, list[dict[str, Any]]] = self._settings["chains"]
        known = passes()
        here = {name: steps for name, steps in chains.items() if all(step["pass"] in known for step in steps)}
        named = {step["pass"] for steps in chains.values() for step in steps} | set(self._settings["not_alone"])
        named |= {each.steps[0].name for each in recipes().values() if len(each.steps) == 1}
        alone = [name for name in known if not pass_info(name).exact and name not in named]
        return [
            *(self._chain(name, "chain", _steps(steps), start) for name, steps in here.items()),
            *(self._chain(name, "pass", _steps([{"pass": name}]), start) for name in alone),
        ]

    def _chain(self, name: str, group: Group, steps: Sequence[Step], start: str) -> Candidate:
        """With integers as this CPU's kernels want them. An optional step that refuses the model is left out, as
        `dlpipe compress` does it."""
        tree, seconds, changes = start, 0.0, []
        for step in steps:
            try:
                call = pass_call(step.name, **params_for(step, self._integers))
                done = self._shop.run(call, ir=tree, **self._inputs(step, start))
            except Interrupted:
                raise
            except DlpipeError as error:
                if step.optional:
                    changes.append(f"{step.name} left out: {telling(error)}")
                    continue
                return Candidate(name, group, None, self._backends, f"{step.name}: {telling(error)}")
            tree, seconds = done.tree, seconds + done.seconds
            changes += done.value.get("changes", [])
        if group == "chain" and tree == start:
            return Candidate(name, group, None, self._backends, "nothing to do on this model")
        return Candidate(name, group, tree, self._backends, seconds=seconds, changes=tuple(changes))

    def _inputs(self, step: Step, start: str) -> dict[str, str]:
        model = self._model
        unlabelled = model.calibration if step.name in self._settings["unlabelled"] else None
        have = {"samples": model.calibration, "train": model.train or unlabelled, "teacher": start}
        inputs = {}
        for need in pass_info(step.name).needs:
            tree = have[need]
            if tree is None:
                raise Unsupported("it trains, and there is nothing to train on")
            inputs[need] = tree
        return inputs

    def _competitors(self) -> Iterable[Candidate]:
        """Dynamic quantisation is recommended, and tried, for transformers and recurrent nets only."""
        dynamic, narrow = self._model.settings.get("dynamic", False), processor.narrow(self._integers)
        return [
            self._competitor(name, each, {**each["params"], **(each.get("narrow", {}) if narrow else {})})
            for name, each in self._settings["competitors"].items()
            if (dynamic or each["params"].get("mode") != "dynamic") and (narrow or not each.get("only_narrow"))
        ]

    def _competitor(self, name: str, settings: Mapping[str, Any], params: Mapping[str, Any]) -> Candidate:
        worker = BENCHMARKS / "competitors" / settings["folder"] / "worker.py"
        changes = tuple(f"{key} = {value}" for key, value in params.items())
        params = {**params, "transformer": bool(self._model.settings.get("transformer"))}
        backends = tuple(settings.get("backends", self._backends))
        try:
            call = Call(settings["toolchain"], worker, "quantise", params, stage_class="hardware")
            raised = self._shop.onnx("raised", ir=self._model.ir).tree
            done = self._shop.run(call, ir=raised, samples=self._model.calibration)
        except Interrupted:
            raise
        except DlpipeError as error:
            return Candidate(name, "competitor", None, backends, telling(error), settings["of"])
        return Candidate(name, "competitor", done.tree, backends, "", settings["of"], done.seconds, changes)


def _steps(steps: Iterable[dict[str, Any]]) -> list[Step]:
    """From `{pass = "...", parameter = ...}`."""
    return [
        Step.model_validate({"pass": step["pass"], "params": {key: step[key] for key in step if key != "pass"}})
        for step in steps
    ]

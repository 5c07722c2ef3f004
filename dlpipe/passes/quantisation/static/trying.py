"""From a float model to a quantised one, and how near it is to the original on the samples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir as ir
from onnx_ir.passes import common

from ...sensitivity.judging import Judge
from .calibrating import calibrate
from .choosing import AUTO, Choice, Finder
from .insert import Levels, Style, insert
from .plan import Plan, plan

_BITS = {"int8": 8, "int7": 7}
WEIGHTS = tuple(_BITS)


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of `source`, a float model. nearness: signal over noise of the outputs, in dB. smoothed: tensors of
    `source` by SmoothQuant; corrected: nodes of `result` by their biases."""

    source: ir.Model
    result: ir.Model
    choice: Choice
    nearness: float
    smoothed: int = 0
    corrected: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """params: those of the pass. judge: of the original."""

    params: Mapping[str, Any]
    samples: Path
    judge: Judge
    progress: Callable[[str, float | None], object]

    def run(self, model: ir.Model) -> Tried:
        """Calibrate `model`, which stays as it is, and quantise it."""
        params = self.params
        seen = calibrate(model, self._plan(model), self.samples, self.progress, params["method"])
        entrances = {str(port.name) for port in model.graph.inputs} & set(seen)
        finder = Finder(seen, entrances, params["percentile"], params["symmetric"], params["zero_points"])
        choice = Choice(params["method"], params["method"])
        if params["method"] == AUTO:
            choice = finder.nearest(lambda levels: self.nearness(self._quantised(model, levels)))
        result = self._quantised(model, finder.levels(choice))
        return Tried(model, result, choice, self.nearness(result))

    def nearness(self, model: ir.Model) -> float:
        return self.judge.measure(model.clone()).sqnr_db

    def _plan(self, model: ir.Model) -> Plan:
        params = self.params
        return plan(model, keep=params["keep"], only=params["only"], whole=params["whole"])

    def _quantised(self, model: ir.Model, levels: Mapping[str, Levels]) -> ir.Model:
        params, made = self.params, model.clone()
        own = self._plan(made)
        style = Style(params["activations"], _BITS[params["weights"]], params["per_channel"], params["zero_points"])
        insert(made, own, {root: levels[str(root.name)] for root in own.rounded.values()}, style)
        common.RemoveUnusedNodesPass()(made)
        return made

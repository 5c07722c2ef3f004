"""Rounding that is chosen by what a layer puts out, not by what is nearest."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from dlpipe_worker import Refused

from ..graph import files
from ..graph.infra import GraphPass, Rewritten, Work, constant, opset
from ..torch_module import weights
from ..torch_module.network import Network
from ..torch_module.ops.all import OPERATORS, Site
from . import batching, data, fake, originals
from .fake import Weight
from .rounding import Effort, Layer, learn

_HELD = 256 << 20  # bytes of one layer's inputs and outputs
_AT_ONCE = 32  # samples
_CHECKED = 128  # samples of each kind at most on which the whole model is held against the original after each layer
_FEW = 8  # of fewer samples none is kept aside for that
_TINY = 1e-30
_TAKEN = ("Conv", "ConvTranspose", "Gemm", "MatMul")


class AdaRound(GraphPass):
    """Round each weight of a quantised model up or down so that its layer's output stays what it was.

        x -> Q -> DQ -> Conv(DQ(round(W / s))) -> y
        becomes
        x -> Q -> DQ -> Conv(DQ(floor(W / s) + up)) -> y        with up in {0, 1} for each weight

    Requires a model as `quantize-int8` makes it, its float original as "teacher" (for the weights before rounding), and
    samples; no labels. Ensures that nothing changed but stored integers, by at most one step from the original's
    weights, within the bits that they had. Lossy; no layer is farther from the original than before on the samples that
    it learns from, nor is the model on these and on every fourth, kept aside (128 of each at most). Layer by layer in
    the order of the graph: each sees what the layers before it, already rounded anew, put out, and is to give what the
    float model gives (where smoothing or equalisation has changed its scale: what its float weights would). Only one
    layer's inputs and outputs are held, of as many samples as fit into 256 MB. Left as they are: layers whose float
    weights are not found in the original, and those that would make the model worse, though they are better themselves.
    Most is gained at few bits. params: samples (at most), steps, batch, rate, push (how much a decision counts against
    the reconstruction), seed. Source: Nagel et al. 2020 (AdaRound), with the asymmetric reconstruction of its section
    3.3.
    """

    def __init__(self, events: Path) -> None:
        del events

    def requires(self, model: ir.Model) -> None:
        fake.find(model)

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        params = work.params
        for name in ("samples", "steps", "batch"):
            if not isinstance(params[name], int) or params[name] < 1:
                raise Refused(f"{name}={params[name]!r} is not a whole number from 1 on", kind="unsupported")
        effort = Effort(params["steps"], params["batch"], params["rate"], params["push"])
        original = files.load(work.inputs["teacher"])
        found = [(each, originals.float_weight(each, original)) for each in fake.find(model).weights]
        places = [(each, *made) for each, made in found if made is not None and _is_layer(each)]
        if not places:
            raise Refused(
                "none of its weights is found in the original: this is not the float model that it was made from",
                kind="unsupported",
            )
        reports, changed = [], list[str]()
        exact = _Passes(original, work, params)
        distances = _distances(original, model, exact, lambda: _Passes(model, work, params, exact))
        errors = distances()
        for number, (weight, floats, same) in enumerate(places):
            work.progress(f"rounding {weight.user.name}", number / len(places))
            goal = exact if same else None
            layer = _layer(weight, floats, _Passes(model, work, params, exact), goal, opset(model))
            integers, before, learned = learn(layer, effort, params["seed"] + number)
            made, errors = _kept(model, weight, integers, errors, distances)
            changed += made
            reports.append({"node": str(weight.user.name), "before": before, "learned": learned, "kept": bool(made)})
        changes = [f"{len(changed)} of {len(places)} layers rounded anew"] if changed else []
        left = sorted(str(each.user.name) for each, made in found if made is None and each.bounds is not None)
        return Rewritten(model, changes, {"layers": reports, "left": left})


Distances = tuple[float, float]


def _distances(
    original: ir.Model, model: ir.Model, exact: "_Passes", now: Callable[[], "_Passes"]
) -> Callable[[], Distances]:
    """How far the model's outputs are from the original's, on samples that layers learn from and on those kept aside:
    the energy of the error over that of the output, summed over the outputs. now: the model as it is then."""
    names = [str(value.name) for value in original.graph.outputs]
    ours = [str(value.name) for value in model.graph.outputs]
    wanted = [exact.values(names, most=_CHECKED, aside=aside) for aside in (False, True)]

    def far(goals: Any, found: Any) -> float:
        total = 0.0
        for name, other in zip(names, ours, strict=True):
            goal = goals[name].astype(np.float64)
            total += float(np.square(found[other] - goal).sum() / max(float(np.square(goal).sum()), _TINY))
        return total

    def measure() -> Distances:
        passes = now()
        learned, aside = (passes.values(ours, most=_CHECKED, aside=each) for each in (False, True))
        return far(wanted[0], learned), far(wanted[1], aside)

    return measure


def _kept(
    model: ir.Model, weight: Weight, integers: Any, errors: Distances, distances: Callable[[], Distances]
) -> tuple[list[str], Distances]:
    """(What was written, the model's distances now): nothing where a layer that is better makes the model worse."""
    name, before = str(weight.value.name), constant(weight.value)
    made = weights.write(model, {name: integers})
    after = distances() if made else errors
    if any(now > was for now, was in zip(after, errors, strict=True)):
        weights.write(model, {name: before})
        return [], errors
    return made, after


class _Passes:
    """Values of a graph on the samples, as numpy arrays [samples, ...], the axis of a sample's own batch left out."""

    def __init__(self, model: ir.Model, work: Work, params: Any, like: "_Passes | None" = None) -> None:
        """like: on the same samples, which are read once."""
        self._network = Network(model, freeze=("*",))
        ports, seed = self._network.ports, params["seed"]
        self.found: data.Data = like.found if like else data.read(work.inputs["train"], ports, holdout=0.0, seed=seed)
        chosen = self.found.train[: params["samples"]]
        aside = _aside(len(chosen))
        self._chosen, self._aside = chosen[~aside], chosen[aside] if aside.any() else chosen
        self._way = batching.choose(self._network, self._feeds(self._chosen[:3]))

    def values(self, names: list[str], *, most: int | None = None, aside: bool = False) -> dict[str, Any]:
        """Of as many samples as fit into half of what may be held, and `most` at most: those to learn from, or those
        kept aside."""
        parts: dict[str, list[Any]] = {name: [] for name in names}
        held, chosen = 0, (self._aside if aside else self._chosen)[:most]
        for place in range(0, len(chosen), _AT_ONCE):
            with torch.no_grad():
                feeds = self._feeds(chosen[place : place + _AT_ONCE])
                seen = batching.run(self._network, feeds, self._way, names)
            for name in names:
                parts[name].append(seen[name].flatten(0, 1).numpy().copy())
                held += parts[name][-1].nbytes
            if held > _HELD // 2:
                break
        return {name: np.concatenate(each) for name, each in parts.items()}

    def stored(self, name: str) -> Any:
        """Of a value that is the same for every sample."""
        with torch.no_grad():
            feeds = {key: tensor[0] for key, tensor in self._feeds(self._chosen[:1]).items()}
            return self._network(feeds, [name])[name]

    def _feeds(self, chosen: Any) -> dict[str, Any]:
        feeds, _ = self.found.batch(chosen)
        return {name: torch.from_numpy(array) for name, array in feeds.items()}


def _aside(count: int) -> Any:
    """Every fourth of so many samples, of many fewer; they may be sorted by class. bool [count], all False of few."""
    every = max(4, -(-count // _CHECKED))
    return (np.arange(count) % every == every - 1) & (count >= _FEW)


def _is_layer(weight: Weight) -> bool:
    """A layer's weight, and the input that it works on is computed."""
    return weight.bounds is not None and weight.user.op_type in _TAKEN and weight.index == 1


def _layer(weight: Weight, floats: Any, now: _Passes, before: _Passes | None, version: int) -> Layer:
    """`before`: the float model, where the layer's output has the same scale there; else it is to give what the float
    weights would with the inputs as they are now."""
    user = weight.user
    fed, output = str(user.inputs[0].name), str(user.outputs[0].name)
    bias = user.inputs[2] if len(user.inputs) > 2 else None
    added = now.stored(str(bias.name)) if bias is not None else None
    operator = OPERATORS[user.op_type](Site(user, version))
    inputs = now.values([fed])[fed]
    if before is not None:
        wanted = before.values([output])[output]
    else:
        with torch.no_grad():
            weights = torch.from_numpy(np.array(floats, np.float32))
            parts = torch.from_numpy(inputs).split(_AT_ONCE)
            made = [operator(*((x, weights) if added is None else (x, weights, added))) for x in parts]
            wanted = torch.cat(made).numpy()
    count = min(len(inputs), len(wanted))
    rank = floats.ndim
    return Layer(
        compute=lambda x, w: operator(x, w) if added is None else operator(x, w, added),
        weight=np.array(floats, np.float32),
        stored=np.array(constant(weight.value), np.float32),
        scale=np.array(weight.spread(constant(weight.scale), rank), np.float32),
        zero=np.array(weight.spread(weight.zero, rank), np.float32),
        bounds=weight.bounds or (0, 0),
        inputs=inputs[:count],
        wanted=wanted[:count],
    )

"""Train a quantised model through its own rounding."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from ..graph.infra import GraphPass, Rewritten, Work, constant
from ..torch_module import weights
from ..torch_module.network import Network
from . import fake, originals, running
from .fake import Quantised, Weight
from .loop import Job
from .preparing import prepare
from .settings import Settings
from .team import Team

_SAME_STEPS = frozenset(
    {"MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Slice", "Pad"}
)
_INT32 = (-(2**31), 2**31 - 1)


class QuantizationAwareTraining(GraphPass):
    """Train weights and scales of a model in QDQ form; what is trained is what ships.

        x -> Q(s) -> DQ(s) -> Conv(DQ(W8, t)) -> y
        becomes
        x -> Q(s') -> DQ(s') -> Conv(DQ(W8', t')) -> y

    Requires a model as `quantize-int8` makes it, and what `fine-tune` does; "teacher" is the float original, whose
    weights are also where the training starts. Ensures that nothing changed but stored numbers. Lossy: as of
    `fine-tune`, weights are never worse on what is held out than those that came in. Zero points stay. Biases follow
    the scales of what they are added to.

    The graph is trained directly, instead of one that torchao's PT2E would quantise: its graphs leave convolutions
    before an addition in float or take signed activations, ran on ONNX Runtime at 0.42 to 0.83 of the float model's
    speed, and would have to be quantised anew for the target, so that something else ships than was trained. Sources:
    Jacob et al. 2018; Esser et al. 2020 (learned step sizes). The parameters are those of `fine-tune`.
    """

    def __init__(self, events: Path) -> None:
        self._events = events

    def requires(self, model: ir.Model) -> None:
        fake.find(model)

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        state, details = running.lead(model, work, self._events, prepare_quantised)
        found = fake.find(model)
        arrays = _stored(found, {name: tensor.numpy() for name, tensor in state.best.items()})
        changed = weights.write(model, arrays) if state.best_step else []
        changes = [f"{len(changed)} stored tensors trained for {state.step} steps"] if changed else []
        return Rewritten(model, changes, {**details, "quantised_weights": len(found.weights)})


def prepare_quantised(
    model: ir.Model, teacher: ir.Model | None, work: Work, settings: Settings, events: Path | None, team: Team
) -> Job:
    found = fake.find(model)
    begin = starts(found, teacher)

    def build(_: ir.Model, chosen: Settings) -> Network:
        return Network(model, freeze=chosen.freeze, replace=fake.computes(found), learn=begin)

    return prepare(model, teacher, work, settings, events, team, build=build)


def starts(found: Quantised, teacher: ir.Model | None) -> dict[str, Any]:
    """What is learned, by name in the graph: floats for integers, logarithms for scales."""
    starts: dict[str, Any] = {}
    for weight in found.weights:
        original = originals.float_weight(weight, teacher) if teacher is not None else None
        starts[str(weight.value.name)] = weight.floats() if original is None else original[0]
        if weight.bounds is not None:
            starts[str(weight.scale.name)] = fake.logarithm(constant(weight.scale))
    for node in found.rounding:
        if (scale := node.inputs[1]) is not None and constant(scale) is not None:
            starts[str(scale.name)] = fake.logarithm(constant(scale))
    return starts


def _stored(found: Quantised, trained: dict[str, Any]) -> dict[str, Any]:
    """Integers and scales as the graph stores them."""
    scales = {str(weight.scale.name): constant(weight.scale) for weight in found.weights}
    scales |= {str(node.inputs[1].name): constant(node.inputs[1]) for node in found.rounding if node.inputs[1]}
    logs = {name for name in scales if name in trained}
    scales |= {name: np.exp(trained[name]) for name in logs}
    arrays = {name: scales[name] for name in logs}
    for node in found.passing:  # its scale may lie under a name of its own
        rounding = node.inputs[0].producer()
        arrays[str(node.inputs[1].name)] = scales[str(rounding.inputs[1].name)]
    for weight in found.weights:
        name = str(weight.value.name)
        floats = trained.get(name, None if weight.bounds is not None else weight.floats())
        if floats is None:
            continue
        scale = scales[str(weight.scale.name)]
        if weight.bounds is None:
            scale = arrays[str(weight.scale.name)] = _of_bias(weight, found, scales, scale)
        low, high = weight.bounds or _INT32
        steps = np.round(floats.astype(np.float64) / weight.spread(scale, floats.ndim))
        arrays[name] = np.clip(steps + weight.spread(weight.zero, floats.ndim), low, high)
    return arrays


def _of_bias(bias: Weight, found: Quantised, scales: dict[str, Any], before: Any) -> Any:
    """Integer kernels add the bias to a sum of products, so its scale is the product of theirs. Where the graph does
    not say them, it stays."""
    matrix = next((each for each in found.weights if each.user is bias.user and each.bounds is not None), None)
    fed = _rounded_before(bias.user.inputs[0])
    shared = len(list(bias.scale.uses())) > 1
    if matrix is None or fed is None or fed not in found.passing or shared:
        return before
    product = scales[str(fed.inputs[1].name)] * scales[str(matrix.scale.name)]
    fits = np.size(product) in (1, np.size(before))
    return np.broadcast_to(product, np.shape(before)).astype(np.float32) if fits else before


def _rounded_before(value: Any) -> ir.Node | None:
    """The node that dequantises what a layer is fed, perhaps moved or pooled since, which changes no step."""
    made = value.producer() if value is not None else None
    while made is not None and made.op_type in _SAME_STEPS and made.inputs[0] is not None:
        made = made.inputs[0].producer()
    return made

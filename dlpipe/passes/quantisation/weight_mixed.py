"""Weights in 4 bits where the model bears it, in 8 where it does not."""

from dataclasses import replace
from typing import Any

import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from ..graph.infra import Rewritten, Work
from ..sensitivity.each import SAMPLES, limit_of
from ..sensitivity.figures import Figures
from ..sensitivity.judging import Judge
from ..sensitivity.search import Group, one_by_one, smallest_keep
from .weight_only import (
    QuantizeWeightsGptq,
    float_bytes,
    grid_of,
    prepare,
    readers_of_weights,
    rounded_alone,
)
from .weights import storing
from .weights.blocks import Rounded

_ORDERS = ("guessed", "measured")


class QuantizeWeightsMixed(QuantizeWeightsGptq):
    """4-bit weights by GPTQ, and 8-bit ones for the fewest layers that must have them to keep the outputs within a
    limit.

        x -> MatMul(W f32) -> MatMul(V f32) -> y
        becomes
        x -> MatMul(DQ(W u4, s, z)) -> MatMul(DQ(V i8, s)) -> y

    Requires samples. Each weight is rounded once to 4 and once to 8 bits; which is taken is bisected over the layers,
    those whose products lose most at 4 bits first (passes/sensitivity); with order="measured" those by which the
    outputs lose most, for one more evaluation per layer. params["sqnr_db"], ["cosine"], ["agreement"] and ["kl"] limit
    the outputs' distance from the float model's, 0 for no limit. Ensures that the limit was measured to hold. Lossy;
    otherwise as QuantizeWeightsGptq. Memory: the result and half the size of the float weights.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        params = {**work.params, "bits": 4}
        asked = Work(params, work.inputs, work.note, work.progress)
        if params["order"] not in _ORDERS:
            raise Refused(f"order={params['order']!r} is not one of {', '.join(_ORDERS)}", kind="unsupported")
        notes = prepare(model, params)
        limit = limit_of(params)
        readers, left = readers_of_weights(model, params)
        numbers = {key: index for index, key in enumerate(readers)}
        firsts = [same[0] for same in readers.values()]
        low = {numbers[place.stored_as]: each for place, each in self.rounded(model, firsts, asked)}
        high = {
            index: rounded_alone(place, grid_of(place, {**params, "bits": 8, "symmetric": True}), "rtn")
            for index, place in enumerate(firsts)
            if low[index].grid.bits == 4
        }
        judge = Judge(work.inputs["ir"], work.inputs["samples"] / "samples.npz", SAMPLES)

        def measure(keep: frozenset[str]) -> Figures:
            work.progress("choosing what has 8 bits", None)
            tried = model.clone()
            _store(tried, params, _chosen(low, high, keep))
            return judge.measure(tried)

        groups = [Group(firsts[index].name, (str(index),), low[index].loss) for index in high]
        if params["order"] == "measured":
            each = one_by_one(groups, measure, progress=lambda done: work.progress("measuring each layer", done))
            groups = [replace(group, loss=-figures.sqnr_db) for group, figures in zip(groups, each, strict=True)]
        found = smallest_keep(groups, measure, limit)
        if not found.met:
            raise Refused(
                f"the outputs miss the limit even with 8 bits everywhere: {found.figures.sqnr_db:.1f} dB",
                kind="unsupported",
                hint="set a limit that can be held",
            )
        before = float_bytes(readers)
        after = _store(model, params, _chosen(low, high, found.nodes))
        details = {
            "quantised_nodes": sum(map(len, readers.values())),
            "left_float": left,
            "weight_bytes": {"before": before, "after": after},
            "eight_bits": sorted(group.name for group in found.kept),
            "outputs": found.figures.as_dict(),
            "evaluations": found.evaluations + (len(groups) if params["order"] == "measured" else 0),
            "judged_on": judge.count,
        }
        count = details["quantised_nodes"]
        return Rewritten(model, [*notes, f"weights of {count} nodes in int4 and int8"], details)


def _chosen(low: dict[int, Rounded], high: dict[int, Rounded], keep: frozenset[str]) -> list[Rounded]:
    return [high[index] if str(index) in keep else low[index] for index in sorted(low)]


def _store(model: ir.Model, params: Any, chosen: list[Rounded]) -> int:
    """Of this model or its copy: the order of the weights is the same. Returns the bytes stored."""
    readers, _ = readers_of_weights(model, params)
    size = sum(storing.store(model, same, each) for same, each in zip(readers.values(), chosen, strict=True))
    common.RemoveUnusedNodesPass()(model)
    return size

"""Static int8 in QDQ form."""

from dataclasses import replace
from typing import Any

import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from ..graph import inference
from ..graph.infra import GraphPass, Rewritten, Work
from ..graph.raising import raise_opset
from ..sensitivity.judging import Judge
from ..sensitivity.search import Group
from .smooth_quant import smooth
from .static import operators, ranges
from .static.choosing import AUTO
from .static.correcting import correct
from .static.plan import Plan, plan
from .static.trying import WEIGHTS, Trial, Tried

_PER_CHANNEL_OPSET = 13  # since which DequantizeLinear has an axis
_QUANTISED = frozenset({"DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear"}) | {
    "ConvInteger",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
}
# What costs most; where one of these stays in float, the report says so.
_HEAVY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "Scan", "Loop", "If"})
_RECURRENT = frozenset({"LSTM", "GRU", "RNN", "Scan", "Loop"})
_JUDGED = 256  # samples on which ways are compared: with few, an odd one decides
_STRENGTH = 0.5  # of SmoothQuant: as much moved into weights as is left in activations


class QuantizeInt8(GraphPass):
    """Weights in int8 per channel, activations in 8 bits per tensor with calibrated ranges, biases in int32.

        x -> Conv(W, b) -> Relu -> MaxPool -> Gemm(V) -> Softmax -> y
        becomes
        x -> Q -> DQ -> Conv(DQ(W8), DQ(b32)) -> Relu -> Q -> DQ -> MaxPool -> Gemm(DQ(V8)) -> Softmax -> y

    Quantisers stand where ONNX Runtime's and OpenVINO's kernels want them, and nowhere else: convolutions and products
    compute in 8 bits; sums, pooling and the like between them too, what only moves values keeps their scale, and a
    Relu or Clip is done by the range behind it. A product that nobody reads in 8 bits gives floats, unless
    params["whole"] is set, for NPUs and microcontrollers that compute in 8 bits only: then whatever the operators with
    integer kernels give is rounded. In float stay normalisations, softmax, recurrence and nested graphs, and the nodes
    or operators of params["keep"]; with params["only"] just those operators are quantised. params["weights"] = "int7"
    keeps to 7 of the 8 bits, for kernels that add two products in 16 bits (x86 before VNNI). Without
    params["zero_points"] the level of zero is 0 throughout, in uint8 for what is never negative and int8 for the rest:
    with one, OpenVINO's products leave their bias and what follows to passes of their own. Of the activations only
    histograms are kept, each of at least 64 samples where there are many, or the ends of all ("minmax", "mean"). With
    method "auto", the methods are tried on up to 256 samples, and the one that comes nearest to the float model is
    taken; "mean", which clips more and may yet answer better, is for who has labels to tell by. It is done with and
    without SmoothQuant before, and with and without corrected biases behind, and again the nearest is kept.

    Requires samples and a float model. Ensures that there is a quantised node. Lossy: the tolerance is that of int8
    in the report. Source: Jacob et al. 2018; Wu et al. 2020; the methods are in `static/ranges.py`.
    """

    def requires(self, model: ir.Model) -> None:
        for node in model.graph.all_nodes():
            if node.op_type in _QUANTISED:
                raise Refused("the model is quantised already", kind="unsupported", node=node.name, op=node.op_type)

    def candidates(self, model: ir.Model, keep: frozenset[str]) -> list[Group]:
        """Those whose weights or products become integers."""
        units = plan(model, keep=keep).units
        heavy = [str(unit.node.name) for unit in units if unit.kind in ("convolution", "matrix")]
        return [Group(name, (name,)) for name in heavy]

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        params = work.params
        _check(params)
        if model.functions:
            common.InlinePass()(model)
        notes = raise_opset(model, _PER_CHANNEL_OPSET, "int8")
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        inference.infer(model)
        chosen = plan(model, keep=params["keep"], only=params["only"], whole=params["whole"])
        if all(unit.kind in ("light", "moving") for unit in chosen.units):
            raise Refused("nothing in this model can be quantised to int8", kind="unsupported")
        samples = work.inputs["samples"] / "samples.npz"
        trial = Trial(params, samples, Judge(work.inputs["ir"], samples, _JUDGED), work.progress)
        tried = [trial.run(model)]
        if params["smooth"]:
            other = model.clone()
            if moved := smooth(other, samples, _STRENGTH, work.progress):
                tried.append(replace(trial.run(other), smoothed=len(moved)))
        if params["correct_bias"]:  # each of them: what smoothing loses is often what biases make up for
            tried += [_corrected(trial, each) for each in tried]
        best = max(tried, key=lambda each: each.nearness)
        left = _left_float(model, chosen)
        recurrent = [name for name, op in left if op in _RECURRENT]
        if recurrent:
            work.note(f"left in float: {', '.join(recurrent)}: ONNX Runtime has no integer kernels for recurrence")
        details = {
            "calibration": {
                "method": str(best.choice),
                "sqnr_db": round(best.nearness, 2),
                "judged_on": trial.judge.count,
            },
            "quantised_nodes": len(chosen.units),
            "smoothed_tensors": best.smoothed,
            "corrected_biases": best.corrected,
            "left_float": sorted(f"{name} ({op})" for name, op in left),
        }
        return Rewritten(best.result, [*notes, f"{len(chosen.units)} nodes in int8"], details)

    def ensures(self, model: ir.Model) -> None:
        assert any(node.op_type == "DequantizeLinear" for node in model.graph), "nothing was quantised"


def _check(params: Any) -> None:
    for key, known in (
        ("method", (AUTO, *ranges.METHODS)),
        ("activations", ("uint8", "int8")),
        ("weights", WEIGHTS),
    ):
        if params[key] not in known:
            raise Refused(f"{key}={params[key]!r} is not one of {', '.join(known)}", kind="unsupported")
    unknown = sorted(set(params["only"]) - operators.KNOWN)
    if unknown:
        raise Refused(f"{unknown[0]} cannot be quantised to int8", kind="unsupported", op=unknown[0])


def _corrected(trial: Trial, each: Tried) -> Tried:
    other = each.result.clone()
    nodes = correct(each.source, other, trial.samples, trial.progress)
    return replace(each, result=other, nearness=trial.nearness(other), corrected=nodes)


def _left_float(model: ir.Model, chosen: Plan) -> list[tuple[str, str]]:
    """(name, operator) of the heavy nodes outside the plan."""
    planned = {unit.node for unit in chosen.units}
    return [(str(node.name), node.op_type) for node in model.graph if node.op_type in _HEAVY and node not in planned]

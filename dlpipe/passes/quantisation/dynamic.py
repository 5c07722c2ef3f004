"""Dynamic int8: activations are quantised as they come, so no data is needed."""

from typing import Any

import numpy as np
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from ..graph.infra import GraphPass, Rewritten, Work, add_constant, bypass
from ..graph.raising import raise_opset
from ..sensitivity.search import Group
from .weight_only import rounded_alone
from .weights import places, storing
from .weights.blocks import Grid, Rounded
from .weights.places import Place

_BLOCKS_OPSET = 21  # of the table's form
_OPSET = 11  # since which there is DynamicQuantizeLinear
_OPERATORS = ("MatMul", "Gemm", "Gather")
_TABLE_BLOCK = 32
_BITS = {"int8": 8, "int7": 7}


class QuantizeDynamic(GraphPass):
    """Products of activations and weights in integers: weights in int8 per column, activations in uint8 by the range
    that they have at that moment.

        x -> MatMul(W) -> Add(b) -> y
        becomes
        x -> DynamicQuantizeLinear -> (x8, s, z)
        (x8, W8, z) -> MatMulInteger -> Cast(f32) -> Mul(s * w) -> Add(b) -> y

    ONNX Runtime makes one DynamicQuantizeMatMul of it. Tables (Gather) are stored in int8 as quantize-weights does.
    Requires a float model. Faster for transformers, whose products are large; dynamic convolutions ran 3 to 10 times
    slower than in float, so Conv is refused here. Weights of fewer than 1,024 numbers and params["keep"] (nodes or
    operators) stay in float. params["weights"] = "int7" keeps to 7 of the 8 bits, for kernels that add two products in
    16 bits (x86 before VNNI). Lossy.
    """

    def requires(self, model: ir.Model) -> None:
        places.refuse_quantised(model)

    def candidates(self, model: ir.Model, keep: frozenset[str]) -> list[Group]:
        """See passes/sensitivity."""
        return places.candidates(model, _OPERATORS, keep)

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        params = work.params
        _check(params)
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        common.RemoveUnusedNodesPass()(model)
        notes = raise_opset(model, _BLOCKS_OPSET if "Gather" in params["operators"] else _OPSET, "dynamic int8")
        found, left = places.find(model, params["operators"], params["keep"])
        if not any(place.node.op_type != "Gather" for place in found):
            raise Refused("no MatMul or Gemm has weights that dynamic int8 is of use for", kind="unsupported")
        readers: dict[Any, list[Place]] = {}
        for place in found:
            readers.setdefault(place.stored_as, []).append(place)
        for done, same in enumerate(readers.values(), 1):
            place = same[0]
            if place.node.op_type == "Gather":
                storing.store(model, same, rounded_alone(place, Grid(8, _TABLE_BLOCK, symmetric=True), "rtn"))
            else:
                per_column = Grid(_BITS[params["weights"]], place.rows, symmetric=True)
                _store(same, rounded_alone(place, per_column, "rtn"))
            work.progress("rounding weights", done / len(readers))
        common.RemoveUnusedNodesPass()(model)
        details = {"quantised_nodes": len(found), "left_float": left}
        return Rewritten(model, [*notes, f"{len(found)} nodes in dynamic int8"], details)

    def ensures(self, model: ir.Model) -> None:
        assert any(node.op_type == "MatMulInteger" for node in model.graph.all_nodes()), "nothing was quantised"


def _check(params: Any) -> None:
    if params["weights"] not in _BITS:
        raise Refused(f"weights={params['weights']!r} is not one of {', '.join(_BITS)}", kind="unsupported")
    unknown = sorted(set(params["operators"]) - set(_OPERATORS))
    if unknown:
        raise Refused(
            f"{unknown[0]} is not computed in dynamic int8, which would be slower than in float",
            kind="unsupported",
            op=unknown[0],
            hint="quantize-int8 is for convolutions",
        )


def _store(same: list[Place], rounded: Rounded) -> None:
    graph, name = same[0].node.graph, same[0].weight.name
    assert graph is not None
    weight = add_constant(graph, np.ascontiguousarray(rounded.numbers), f"{name}/int8")
    scale = add_constant(graph, rounded.scales.scale[0], f"{name}/scale")
    for place in same:
        _multiply(place.node, weight, scale)


def _multiply(node: ir.Node, weight: ir.Value, scale: ir.Value) -> None:
    """Of MatMul or Gemm, whose `alpha` and transposition are in the integers."""
    old, made = node.outputs[0], list[ir.Node]()

    def op(
        kind: str, inputs: list[ir.Value | None], dtype: ir.DataType, outputs: int = 1, **attributes: int
    ) -> ir.Node:
        names = [f"{node.name}/{kind}" + (f"/{index}" if index else "") for index in range(outputs)]
        each = ir.Node(
            "", kind, inputs, [ir.AttrInt64(key, value) for key, value in attributes.items()], num_outputs=outputs
        )
        each.name = names[0]
        for value, title in zip(each.outputs, names, strict=True):
            value.name, value.type = title, ir.TensorType(dtype)
        made.append(each)
        return each

    floats = ir.DataType.FLOAT
    dynamic = op("DynamicQuantizeLinear", [node.inputs[0]], ir.DataType.UINT8, outputs=3)
    eighth, steps, zero = dynamic.outputs
    steps.type = ir.TensorType(floats)
    sums = op("MatMulInteger", [eighth, weight, zero], ir.DataType.INT32)
    as_float = op("Cast", [sums.outputs[0]], floats, to=floats.value)
    scales = op("Mul", [steps, scale], floats)
    scales.name = scales.outputs[0].name = f"{node.name}/scales"
    result = op("Mul", [as_float.outputs[0], scales.outputs[0]], floats)
    bias = node.inputs[2] if node.op_type == "Gemm" and len(node.inputs) > 2 else None
    if bias is not None:
        beta = node.attributes.get_float("beta", 1.0)
        if beta != 1:
            assert node.graph is not None
            factor = add_constant(node.graph, np.float32(beta), f"{node.name}/beta")
            bias = op("Mul", [bias, factor], floats).outputs[0]
            bias.name = made[-1].name = f"{node.name}/bias"
        result = op("Add", [result.outputs[0], bias], floats)
    result.outputs[0].type, result.outputs[0].shape = old.type, old.shape
    node.prepend(made)
    bypass(node, result.outputs[0])

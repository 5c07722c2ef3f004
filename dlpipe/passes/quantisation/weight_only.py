"""Weights as small integers, activations in float."""

from collections.abc import Iterator
from typing import Any

import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from ..graph.infra import GraphPass, Rewritten, Work
from ..graph.raising import raise_opset
from ..sensitivity.search import Group
from .weights import gptq, hessians, hqq, places, storing
from .weights.blocks import Grid, Rounded, integers, round_to_nearest, share, weights
from .weights.places import Place

_BLOCKS_OPSET = 21  # since which DequantizeLinear has blocks, and 4-bit integers
METHODS = {"rtn": round_to_nearest, "hqq": hqq.half_quadratic}
_KEEPS_MORE = frozenset({"Gather", "Conv"})  # no operator looks up 4-bit rows; a filter has too few weights for it


class QuantizeWeights(GraphPass):
    """Weights of matrix products in 4 or 8 bits, with a scale for each block of `block` rows of a column.

        x -> MatMul(W f32) -> y                  i -> Gather(E f32) -> y
        becomes
        x -> MatMul(DQ(W u4, s, z)) -> y         i -> DQ(Gather(E i8), Gather(s)) -> y

    Requires a float model; raises the operator set to 21. Ensures standard operators: DequantizeLinear with blocks,
    which ONNX Runtime turns into MatMulNBits when it loads the model (and then multiplies by integers: activations are
    rounded to 8 bits, block by block). Weights of fewer than 1,024 numbers, what is no matrix, and params["keep"]
    (nodes or operators) stay in float. Gather and Conv (per channel; saves size, not time) keep 8 bits also where the
    others have 4. Lossy. method: rtn (round to nearest) or hqq (`weights/hqq.py`). Memory: the result and one weight.
    """

    def requires(self, model: ir.Model) -> None:
        places.refuse_quantised(model)

    def candidates(self, model: ir.Model, keep: frozenset[str]) -> list[Group]:
        """See passes/sensitivity."""
        return places.candidates(model, ("MatMul", "Gemm", "Gather"), keep)

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        params = work.params
        notes = prepare(model, params)
        readers, left = readers_of_weights(model, params)
        nodes = sum(map(len, readers.values()))
        before, after = float_bytes(readers), 0
        firsts = [same[0] for same in readers.values()]
        for done, (place, rounded) in enumerate(self.rounded(model, firsts, work), 1):
            after += storing.store(model, readers[place.stored_as], rounded)
            work.progress("rounding weights", done / len(firsts))
        common.RemoveUnusedNodesPass()(model)
        details = {
            "quantised_nodes": nodes,
            "left_float": left,
            "weight_bytes": {"before": before, "after": after},
        }
        return Rewritten(model, [*notes, f"weights of {nodes} nodes in int{params['bits']}"], details)

    def ensures(self, model: ir.Model) -> None:
        assert any(node.op_type == "DequantizeLinear" for node in model.graph.all_nodes()), "nothing was quantised"

    def rounded(self, model: ir.Model, found: list[Place], work: Work) -> Iterator[tuple[Place, Rounded]]:
        """Each place with its integers, in any order."""
        del model
        for place in found:
            yield place, rounded_alone(place, grid_of(place, work.params), work.params["method"])


class QuantizeWeightsGptq(QuantizeWeights):
    """The same form, the integers chosen on data: what rounding one row costs is made good in the others.

        x -> MatMul(W f32) -> y
        becomes
        x -> MatMul(DQ(W u4, s, z)) -> y

    Requires samples, beside what QuantizeWeights does. The float model runs on them, one at a time, layer by layer, and
    of its activations only x^T x is kept (`weights/hessians.py`); tables and filters are rounded to the nearest. Lossy,
    and nearer to the original on such data than rounding each weight by itself. Source: Frantar et al. 2023.
    """

    def rounded(self, model: ir.Model, found: list[Place], work: Work) -> Iterator[tuple[Place, Rounded]]:
        learnt: list[Place] = []
        others: list[Place] = []
        for place in found:
            product = place.node.op_type not in _KEEPS_MORE and place.node.graph is model.graph
            (learnt if product else others).append(place)
        of_input: dict[str, list[Place]] = {}
        for place in learnt:
            of_input.setdefault(str(place.node.inputs[0].name), []).append(place)
        widths = {name: readers[0].rows for name, readers in of_input.items()}
        samples = work.inputs["samples"] / "samples.npz"
        for sums in hessians.hessians(model, widths, samples, lambda done: work.progress("running the model", done)):
            for name, hessian in sums.items():
                for place in of_input[name]:
                    grid = grid_of(place, work.params)
                    matrix = place.matrix()
                    scales = METHODS[work.params["method"]](matrix, grid)
                    numbers = gptq.compensated(matrix, hessian, scales, grid)
                    loss = gptq.share_of_products(matrix, weights(numbers, scales, grid), hessian)
                    yield place, Rounded(numbers, scales, grid, loss)
        yield from super().rounded(model, others, work)  # last: the float model is saved when the first Hessian is


def prepare(model: ir.Model, params: Any) -> list[str]:
    """In place; returns what to say of it. Raises Refused for parameters that make no sense."""
    _check(params)
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    common.RemoveUnusedNodesPass()(model)
    return raise_opset(model, _BLOCKS_OPSET, f"int{params['bits']} in blocks")


def readers_of_weights(model: ir.Model, params: Any) -> tuple[dict[Any, list[Place]], list[str]]:
    """(the places that can read the same integers, together; what stays in float). Raises Refused where there is no
    place."""
    found, left = places.find(model, params["operators"], params["keep"])
    if not found:
        raise Refused(
            f"no {', '.join(params['operators'])} has a weight that can be stored in int{params['bits']}",
            kind="unsupported",
        )
    readers: dict[Any, list[Place]] = {}
    for place in found:
        readers.setdefault(place.stored_as, []).append(place)
    return readers, left


def float_bytes(readers: dict[Any, list[Place]]) -> int:
    return sum(4 * size for size in {same[0].weight.name: same[0].size for same in readers.values()}.values())


def grid_of(place: Place, params: Any) -> Grid:
    if place.node.op_type == "Conv":
        return Grid(8, place.rows, symmetric=True)
    if place.node.op_type == "Gather":
        return Grid(8, params["block"], symmetric=True)
    return Grid(params["bits"], params["block"], params["symmetric"])


def rounded_alone(place: Place, grid: Grid, method: str) -> Rounded:
    """Without data."""
    matrix = place.matrix()
    scales = METHODS[method](matrix, grid)
    numbers = integers(matrix, scales, grid)
    return Rounded(numbers, scales, grid, share(matrix - weights(numbers, scales, grid), matrix))


def _check(params: Any) -> None:
    for key, known in (("bits", (4, 8)), ("method", tuple(METHODS))):
        if params[key] not in known:
            raise Refused(f"{key}={params[key]!r} is not one of {', '.join(map(str, known))}", kind="unsupported")
    block = params["block"]
    if block < 16 or block & (block - 1):
        raise Refused(f"block={block!r} is no power of 2 from 16 on", kind="unsupported")

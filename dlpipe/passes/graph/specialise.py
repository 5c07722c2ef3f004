"""Free dims become sizes."""

import copy
from typing import Any

import onnx_ir as ir
from dlpipe_worker import Refused

from . import inference
from .fold_constants import fold
from .infra import GraphPass, Rewritten, Work, infer_again


class Specialise(GraphPass):
    """Fix symbolic dims of the inputs: params["dims"], name -> size.

        x[batch, 3, height, width] -> Conv -> ... -> y[batch, 1000]
        becomes, with batch=1, height=224, width=224
        x[1, 3, 224, 224] -> Conv -> ... -> y[1, 1000]

    The I/O contract follows: inputs and, as far as inference gets, outputs. (What is computed of shapes alone is then
    constant, which fold-constants makes use of.) Names are those of the contract, which names every dim. Without dims
    nothing is done. Refuses a name that no input has, and sizes that the graph contradicts, with the node named.
    Ensures that none of the names is left. Exact: for inputs of these sizes nothing changes.
    """

    changes_interface = True

    def __init__(self) -> None:
        self._fixed: frozenset[str] = frozenset()

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        sizes: dict[str, int] = dict(work.params["dims"])
        if not sizes:
            return Rewritten(model, [])
        contract = copy.deepcopy(work.contract())
        _check(sizes, contract)
        self._fixed = frozenset(sizes)
        for value, port in zip(model.graph.inputs, contract["inputs"], strict=True):
            _fix(port, sizes)
            value.shape = _shape(port)
        _forget(model, sizes)
        what = "the model with " + ", ".join(f"{name}={size}" for name, size in sorted(sizes.items()))
        inference.refuse_contradictions(model, what)
        folded = model.clone()  # shapes that the graph computes are known once they are folded
        fold(folded)
        infer_again(folded)
        for value, port in zip(folded.graph.outputs, contract["outputs"], strict=True):
            _fix(port, sizes)
            _sharpen(port, value)
        example = contract.get("metadata", {}).get("example_dims", {})
        for name in self._fixed & set(example):
            del example[name]
        changes = [f"{name} is {size}" for name, size in sorted(sizes.items())]
        return Rewritten(model, changes, contract=contract)

    def ensures(self, model: ir.Model) -> None:
        for value in (*model.graph.inputs, *model.graph.outputs):
            left = {dim.value for dim in value.shape or () if not isinstance(dim, int)} & self._fixed
            assert not left, f"{value.name} has the dims {left}"


def _check(sizes: dict[str, int], contract: dict[str, Any]) -> None:
    free = list(dict.fromkeys(dim for port in contract["inputs"] for dim in port["shape"] if isinstance(dim, str)))
    for name, size in sizes.items():
        if name not in free:
            hint = f"it has {', '.join(free)}" if free else "all its sizes are fixed"
            raise Refused(f"no input has a free dim {name!r}", kind="unsupported", hint=hint)
        if type(size) is not int or size < 1:
            raise Refused(f"{name} cannot be {size!r}: a size is a whole number from 1 on", kind="unsupported")


def _fix(port: dict[str, Any], sizes: dict[str, int]) -> None:
    port["shape"] = [sizes.get(dim, dim) if isinstance(dim, str) else dim for dim in port["shape"]]


def _shape(port: dict[str, Any]) -> ir.Shape | None:
    return None if port["shape"] == ["*"] else ir.Shape(port["shape"])


def _forget(model: ir.Model, sizes: dict[str, int]) -> None:
    """What outputs, and the ports of nested graphs, say of these dims."""
    for graph in (model.graph, *model.graph.subgraphs()):
        for value in (*graph.outputs, *(graph.inputs if graph is not model.graph else ())):
            if value.shape is not None:
                dims = [dim if isinstance(dim, int) else sizes.get(str(dim.value), dim.value) for dim in value.shape]
                free = graph is model.graph
                value.shape = ir.Shape([None if free and not isinstance(dim, int) else dim for dim in dims])


def _sharpen(port: dict[str, Any], value: ir.Value) -> None:
    """Free dims of an output that inference knows the size of by now."""
    if value.shape is None or port["shape"] == ["*"] or len(value.shape) != len(port["shape"]):
        return
    pairs = zip(port["shape"], value.shape, strict=True)
    port["shape"] = [known if isinstance(dim, str) and isinstance(known, int) else dim for dim, known in pairs]

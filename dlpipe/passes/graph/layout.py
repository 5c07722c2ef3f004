"""Transposes that converters leave between layouts."""

import onnx_ir as ir

from . import regions, transposes
from .infra import GraphPass, Rewritten, Work, infer_again, opset
from .unused import remove_unused


class Layout(GraphPass):
    """Compute in the order of axes that leaves the fewest Transposes.

        x -> Transpose(0,2,3,1) -> Add(b) -> Relu -> Transpose(0,3,1,2) -> Conv
        becomes
        x -> Add(b, its axes turned) -> Relu -> Conv

        x -> Transpose(0,2,3,1) -> Sigmoid -> Mul -> ReduceMean(1,2) -> Transpose(0,3,1,2) -> Conv
                               \\------------/
        becomes
        x -> Sigmoid -> Mul -> ReduceMean(2,3) -> Conv

    Elementwise operators, those along axes (Concat, Softmax, Split, ArgMax, reductions that keep their axes) and those
    with a number per axis (Pad, Slice, Tile, Expand, Resize) move before the Transposes above them, all that follow one
    together, where fewer Transposes are left then; what comes in or goes out otherwise gets one. Two that meet become
    one or none. Never more are left than there were. A Resize moves to channels first only. Requires nothing. Exact:
    the same arithmetic; a reduction may add in another order. The algorithm is our own: regions are grown from each
    Transpose and taken where they gain.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        return Rewritten(model, cancel_all(model))


def cancel_all(model: ir.Model) -> list[str]:
    """In the main graph and in all nested ones."""
    changes: list[str] = []
    while True:
        before = len(changes)
        for graph in (model.graph, *model.graph.subgraphs()):
            changes += regions.improve(graph, opset(model))
            changes += transposes.merge(graph)
        if len(changes) == before:
            return changes
        remove_unused(model)
        infer_again(model)  # what has moved may move on

"""Transposes that converters leave between layouts."""

import onnx_ir as ir

from . import transposes
from .infra import GraphPass, Rewritten, Work, opset


class Layout(GraphPass):
    """Cancel Transposes across the elementwise operators, Concats and Softmaxes between them.

        x -> Transpose(0,2,3,1) -> Add(b) -> Relu -> Transpose(0,3,1,2) -> Conv
        becomes
        x -> Add(b, its axes turned) -> Relu -> Conv

    A Transpose moves only if every path above it ends in the opposite Transpose or in a weight, so that never more
    are left than there were. Requires nothing. Exact: the same arithmetic, element by element. The algorithm is the
    plain backward search over a region of operators that commute with a permutation.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        return Rewritten(model, cancel_all(model))


def cancel_all(model: ir.Model) -> list[str]:
    """In the main graph and in all nested ones."""
    changes = []
    for graph in (model.graph, *model.graph.subgraphs()):
        changes += transposes.cancel(graph, opset(model))
    if changes:
        ir.passes.common.RemoveUnusedNodesPass()(model)
    return changes

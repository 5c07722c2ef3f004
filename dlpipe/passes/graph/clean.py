"""Identities, duplicates and what nothing uses."""

import onnx_ir as ir
from onnx_ir.passes import common

from . import identities
from .infra import GraphPass, Rewritten, Snapshot, Work

_MAX_ROUNDS = 10


class Clean(GraphPass):
    """Remove what has no effect.

        x -> Identity -> Relu -> y                     x -> Relu -> y
        x -> Sigmoid -> Mul(a)              becomes    x -> Sigmoid -> Mul(a)
        x -> Sigmoid -> Mul(b)                                     \\-> Mul(b)
        x -> Tanh (nobody reads it)

    Requires nothing. Ensures that no initializer is unused. Exact: the same arithmetic in the same order.
    Source: onnx_ir.passes.common; identities are our own.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        before = Snapshot.of(model)
        for _ in range(_MAX_ROUNDS):
            if not sweep(model):
                break
        return Rewritten(model, before.changes_to(model))

    def ensures(self, model: ir.Model) -> None:
        outputs = set(model.graph.outputs)
        for name, value in model.graph.initializers.items():
            assert value.uses() or value in outputs, f"{name} is not used"


def sweep(model: ir.Model) -> bool:
    """One round. Returns whether anything was removed."""
    removed = identities.eliminate(model)
    return removed | bool(
        ir.passes.Sequential(
            common.CommonSubexpressionEliminationPass(),
            common.DeduplicateInitializersPass(),
            common.RemoveUnusedNodesPass(),
            common.RemoveUnusedFunctionsPass(),
        )(model).modified
    )

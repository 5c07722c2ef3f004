"""Identities, duplicates and what nothing uses."""

import onnx_ir as ir

from . import dead_code, dedupe_weights, identities, subexpressions
from .infra import GraphPass, Rewritten, Snapshot, Work

_MAX_ROUNDS = 10


class Clean(GraphPass):
    """Remove what has no effect: identities, common subexpressions, equal weights and dead code, until nothing is left.

        x -> Identity -> Relu -> y                     x -> Relu -> y
        x -> Sigmoid -> Mul(a)              becomes    x -> Sigmoid -> Mul(a)
        x -> Sigmoid -> Mul(b)                                     \\-> Mul(b)
        x -> Tanh (nobody reads it)

    Each of them is a pass of its own too: identities, subexpressions, dedupe-weights, dead-code. Requires nothing.
    Ensures that no initializer is unused, nor any place in a file beside the model. Exact: the same arithmetic in the
    same order.
    """

    tidies_up = True

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        before = Snapshot.of(model)
        for _ in range(_MAX_ROUNDS):
            if not sweep(model):
                break
        return Rewritten(model, before.changes_to(model))

    def ensures(self, model: ir.Model) -> None:
        dead_code.DeadCode().ensures(model)


def sweep(model: ir.Model) -> bool:
    """One round. Returns whether anything was removed."""
    gone = [*identities.eliminate(model), *subexpressions.share(model), *dedupe_weights.deduplicate(model)]
    return dead_code.remove(model) or bool(gone)

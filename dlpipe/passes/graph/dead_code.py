"""What nothing depends on."""

import onnx_ir as ir
from onnx_ir.passes import common

from .infra import GraphPass, Rewritten, Snapshot, Work
from .unused import remove_unused


class DeadCode(GraphPass):
    """Remove nodes, weights and functions that no output depends on, and places in files that no weight uses.

        x -> Relu -> y                                            x -> Relu -> y
        x -> Tanh -> Sigmoid (nobody reads it)     becomes
        w (nobody reads it)

    Requires nothing. Ensures that every initializer is used. Exact. Source: onnx_ir.passes.common.
    """

    tidies_up = True

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        before = Snapshot.of(model)
        remove(model)
        return Rewritten(model, before.changes_to(model))

    def ensures(self, model: ir.Model) -> None:
        outputs = set(model.graph.outputs)
        for name, value in model.graph.initializers.items():
            assert value.uses() or value in outputs, f"{name} is not used"


def remove(model: ir.Model) -> bool:
    """Whether there was any."""
    found = remove_unused(model)
    return bool(common.RemoveUnusedFunctionsPass()(model).modified) or found

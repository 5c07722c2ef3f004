"""Several operators that one operator can do."""

import onnx_ir as ir
from onnxscript import rewriter
from onnxscript.rewriter.rules import common as rules

from . import gemm, identities
from .infra import GraphPass, Rewritten, Snapshot, Work, opset
from .layout import cancel_all
from .unused import remove_unused

_MAX_ROUNDS = 5
_RULES_OPSET = 13  # onnxscript's rules are written for the operators' later forms
_RULES = (
    rules.mul_by_1_rule,
    rules.add_0_rule,
    rules.sub_0_rule,
    rules.div_by_1_rule,
    rules.dropout_zero_rule,
    rules.dropout_inference_rule,
    rules.collapse_slice_rule,
    rules.no_op_cast_rule,
    rules.no_op_expand_rule,
    rules.reshape_reshape_rule,
    rules.no_op_transpose_rule,
    rules.transpose_transpose_rule,
    rules.unsqueeze_unsqueeze_rule,
    rules.min_min_rule,
    rules.max_max_rule,
    rules.min_max_rule,
    rules.max_min_rule,
    rules.successive_relu_rule,
    rules.successive_clip_rule,
    rules.successive_clip_relu_rule,
    rules.successive_relu_clip_rule,
    rules.normalize_pad_format_conv_rule,
    rules.fuse_pad_into_conv_rule,
)


class Fuse(GraphPass):
    """Replace known groups by one standard operator, until nothing is left to replace.

        Pad -> Conv                                      Conv(pads)
        MatMul -> Add  (of matrices)                     Gemm
        Relu -> Clip, Min -> Max, Clip -> Clip           Clip
        Transpose -> Transpose                           Transpose, or nothing
        Reshape -> Reshape                               Reshape
        Mul(1), Add(0), Cast to the same type            nothing

    Requires nothing; below opset 13 only the Transposes and Gemm. Only standard operators are made. Exact.
    Source: onnxscript.rewriter.rules.common; Gemm and Transposes are our own.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        before, changes = Snapshot.of(model), list[str]()
        chosen = rewriter.RewriteRuleSet(list(_RULES))
        for _ in range(_MAX_ROUNDS):
            count = chosen.apply_to_model(model) if opset(model) >= _RULES_OPSET else 0
            found = cancel_all(model)
            for graph in (model.graph, *model.graph.subgraphs()):
                found += gemm.fuse_matmul_add(graph, opset(model))
            identities.eliminate(model)
            remove_unused(model)
            changes += found
            if not count and not found:
                break
        return Rewritten(model, changes + before.changes_to(model))

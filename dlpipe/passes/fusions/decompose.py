"""Composed operators written out, for compilers that do not know them."""

from collections.abc import Callable, Mapping

import onnx_ir as ir
from dlpipe_worker import Refused

from ..graph.infra import GraphPass, Rewritten, Work, bypass, opset
from ..graph.unused import remove_unused
from .expansions.attention import attention
from .expansions.functions import gelu, swish
from .expansions.norms import layer_norm, rms_norm
from .expansions.rotary import rotary
from .expansions.writing import Left

_EXPANSIONS: Mapping[str, Callable[[ir.Node, int], ir.Value]] = {
    "Attention": attention,
    "Gelu": gelu,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "RotaryEmbedding": rotary,
    "Swish": swish,
}


class Decompose(GraphPass):
    """Write out Attention, RotaryEmbedding, Gelu, Swish, LayerNormalization and RMSNormalization.

        Attention(q, k, v, mask)
        becomes   Softmax(Add(MatMul(Mul(q, scale), Transpose(k)), mask)) -> MatMul(v)

    The opposite of the fusions, for a backend that does not know the operator. params: operators (which of them). A
    node stays, and the value's "left" says why, where it is not plain: an Attention with a past, a window, or heads of
    unknown width. Requires nothing. Exact up to rounding: the operators' own definitions, with the statistics of a
    norm in two steps, as ONNX Runtime computes them. Source: ONNX's operator schemas.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        wanted = list(work.params["operators"])
        unknown = sorted(set(wanted) - set(_EXPANSIONS))
        if unknown:
            raise Refused(f"decompose does not know {unknown[0]}", hint=f"it knows {', '.join(_EXPANSIONS)}")
        changes, left = list[str](), list[dict[str, str]]()
        for graph in (model.graph, *model.graph.subgraphs()):
            for node in list(graph):
                if node.domain != "" or node.op_type not in wanted:
                    continue
                name = node.name or node.outputs[0].name
                try:
                    made = _EXPANSIONS[node.op_type](node, opset(model))
                except Left as reason:
                    left.append({"node": str(name), "op": node.op_type, "reason": str(reason)})
                    work.note(f"{node.op_type} stays: {reason}", level="warning", node=str(name))
                    continue
                made.type, made.shape = node.outputs[0].type, node.outputs[0].shape
                changes.append(f"{name}: {node.op_type} written out")
                bypass(node, made)
        if changes:
            remove_unused(model)
        return Rewritten(model, changes, {"left": left})

"""Loops of known length, written out."""

import onnx_ir as ir

from . import inference
from .clean import sweep
from .infra import GraphPass, Rewritten, Work, count_nodes
from .loop_steps import Stays, body, is_loop, scan_inputs, steps
from .loop_writer import write_out


class Unroll(GraphPass):
    """Replace Scan and Loop by their body, copied once per step.

        x[T, N] -> Scan(s0) { s, y = cell(s, x[t]) } -> sT, y[T, N]
        becomes
        x -> Gather(t) -> cell/step<t> -> s<t+1>,   y0 ... y<T-1> -> Unsqueeze -> Concat -> y

    Loops in loops and in branches are written out too; what all steps compute alike is computed once. A loop stays,
    and the value's "left" says why, where its length depends on the input (a free dim that is scanned, a computed
    trip count or condition), or where the model would grow beyond params["limit"] nodes: compilers take time for
    each (TVM some 60 ms). Requires nothing. Exact: the same arithmetic in the same order.
    Source: the definitions of Scan (opset 9) and Loop in ONNX's operator schemas.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        changes, details = list[str](), list[dict[str, object]]()
        inferred = True
        while True:
            node = _next(model, work.params["limit"])
            if node is not None:
                count = steps(model, node)
                written = write_out(model, node, count)
                changes.append(f"{node.name}: {count} steps of {node.op_type} became {written} nodes")
                details.append({"node": node.name, "op": node.op_type, "steps": count})
                inferred = False
            elif inferred:
                break
            else:  # the length of a loop may be known now that the one before it is gone
                inference.infer(model)
                inferred = True
        if changes:
            sweep(model)
        left = _left(model, work.params["limit"])
        for each in left:
            work.note(f"the loop stays: {each['reason']}", level="warning", node=each["node"])
        return Rewritten(model, changes, {"unrolled": details, "left": left})


def _next(model: ir.Model, limit: int) -> ir.Node | None:
    """The first loop that can be written out, outer ones before those inside them."""
    nodes = count_nodes(model)
    return next(
        (node for node in model.graph.all_nodes() if is_loop(node) and not _why_not(model, node, limit, nodes)), None
    )


def _why_not(model: ir.Model, node: ir.Node, limit: int, nodes: int) -> str | None:
    try:
        count = steps(model, node)
    except Stays as reason:
        return str(reason)
    inside = sum(1 for _ in body(node).all_nodes()) + scan_inputs(node) + len(node.outputs)
    if nodes + count * inside > limit:
        return f"{count} steps of {inside} nodes would make {nodes + count * inside} nodes, and the limit is {limit}"
    return None


def _left(model: ir.Model, limit: int) -> list[dict[str, str]]:
    nodes = count_nodes(model)
    return [
        {"node": str(node.name), "op": node.op_type, "reason": _why_not(model, node, limit, nodes) or ""}
        for node in model.graph.all_nodes()
        if is_loop(node)
    ]

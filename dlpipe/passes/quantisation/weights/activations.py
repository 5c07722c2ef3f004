"""Relu and Clip behind a product whose weights are integers, written so that ONNX Runtime fuses the product."""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from ...graph.infra import add_constant, bypass


def set_apart(product: ir.Node) -> None:
    """Relu(x) becomes Max(x, 0), and Clip(x, a, b) Min(Max(x, a), b).

    ONNX Runtime 1.31 takes a Relu or Clip behind DequantizeLinear and MatMul (or Gemm) for the end of a static int8
    group, and dequantises the whole weight in every run; behind anything else it makes a MatMulNBits.
    """
    for node in list(_behind(product)):
        value, graph = node.inputs[0], node.graph
        assert value is not None
        assert graph is not None
        if node.op_type == "Relu":
            steps = [("Max", add_constant(graph, np.float32(0), f"{node.name}/zero"))]
        else:
            bounds = zip(("Max", "Min"), (*node.inputs[1:], None, None), strict=False)
            steps = [(op, bound) for op, bound in bounds if bound is not None]
        for op, bound in steps:
            made = ir.Node("", op, [value, bound], name=f"{node.name}/{op}")
            made.outputs[0].name = made.name
            made.outputs[0].type, made.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
            node.prepend(made)
            value = made.outputs[0]
        bypass(node, value)


def _behind(product: ir.Node) -> Iterator[ir.Node]:
    """The Relus and Clips that read the product, or its sum with a bias."""
    for user in product.outputs[0].consumers():
        for node in (*user.outputs[0].consumers(), user) if user.op_type == "Add" else (user,):
            if node.op_type in ("Relu", "Clip") and node.domain == "":
                yield node

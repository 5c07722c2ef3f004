"""MatMul + Add of matrices is one Gemm."""

import onnx_ir as ir

from .infra import bypass, constant

_OPSET = 7  # since which Gemm broadcasts C


def fuse_matmul_add(graph: ir.Graph, opset: int) -> list[str]:
    """x[M,K] -> MatMul(w[K,N]) -> Add(b[N]) becomes Gemm(x, w, b), for stored w and b. One line per change."""
    changes: list[str] = []
    for node in list(graph) if opset >= _OPSET else []:
        if node.op_type != "MatMul" or node.domain != "" or node.graph is None:
            continue
        x, product, weight = node.inputs[0], node.outputs[0], constant(node.inputs[1])
        if x is None or x.shape is None or len(x.shape) != 2 or weight is None or weight.ndim != 2:
            continue
        add = next(iter(product.consumers()), None)
        if product.is_graph_output() or len(product.uses()) != 1 or add is None or add.op_type != "Add":
            continue
        bias = next((value for value in add.inputs if value is not product), None)
        array = constant(bias)
        if array is None or array.shape not in ((weight.shape[1],), (1, weight.shape[1])):
            continue
        # Gemm takes the place of the MatMul: x and the weights are known there.
        gemm = ir.Node("", "Gemm", [x, node.inputs[1], bias], name=node.name)
        node.prepend(gemm)
        changes.append(f"{node.name}: MatMul and {add.name} became one Gemm")
        gemm.outputs[0].type = product.type
        gemm.outputs[0].name = f"{product.name}/gemm"
        bypass(add, gemm.outputs[0])
        graph.remove(node, safe=True)
    return changes

"""Take out nodes and weights that no output depends on."""

from collections.abc import Iterator

import onnx_ir as ir
from onnx_ir.passes import common


def remove_unused(model: ir.Model) -> bool:
    """Whether there was any. What only the body of a removed loop or branch read goes as well: onnx_ir leaves such a
    body among a value's readers."""
    found = False
    while True:
        found |= bool(common.RemoveUnusedNodesPass()(model).modified)
        if not _detach(model):
            return found


def _detach(model: ir.Model) -> bool:
    """Take nodes that are in no graph of the model off the values that they read."""
    alive = set(model.graph.all_nodes())
    gone = [(node, index) for value in _values(model) for node, index in value.uses() if node not in alive]
    for node, index in gone:
        node.replace_input_with(index, None)
    return bool(gone)


def _values(model: ir.Model) -> Iterator[ir.Value]:
    for graph in (model.graph, *model.graph.subgraphs()):
        yield from graph.inputs
        yield from graph.initializers.values()
        for node in graph:
            yield from node.outputs

"""ZipMap, with which classifiers of scikit-learn and Core ML end: a list of dictionaries, class to score, one a sample.

That is a table with names on its columns, and nothing else: as a tensor it can be compared, quantised and compiled.
"""

from typing import Any

import onnx

from . import writing

DOMAIN, KIND = "ai.onnx.ml", "ZipMap"


def found(graph: Any) -> dict[str, list[Any]]:
    """Output of the graph that a ZipMap gives -> its classes, in the order of the columns."""
    ends = {value.name for value in graph.output}
    return {node.output[0]: _classes(node) for node in graph.node if is_table(node) and node.output[0] in ends}


def is_table(node: Any) -> bool:
    return node.op_type == KIND and node.domain == DOMAIN and len(node.output) == 1


def lower(model: Any) -> list[str]:
    """The tensor under the name of each such output, in place; returns what to say of it."""
    ended = found(model.graph)
    if not ended:
        return []
    writing.replace_nodes(model, lambda node: _replace if is_table(node) and node.output[0] in ended else None)
    for value in model.graph.output:
        if value.name in ended:
            value.CopyFrom(onnx.ValueInfoProto(name=value.name))
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return [_said(name, classes) for name, classes in ended.items()]


def _replace(node: Any, writer: writing.Writer) -> None:
    writer.op("Identity", node.input[0], output=node.output[0], name=node.name)


def _classes(node: Any) -> list[Any]:
    given = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    texts = [each.decode(errors="replace") for each in given.get("classlabels_strings", [])]
    return texts or list(given.get("classlabels_int64s", []))


def _said(name: str, classes: list[Any]) -> str:
    shown = ", ".join(map(str, classes[:8])) + (", ..." if len(classes) > 8 else "")
    return f"{name} was a dictionary for each sample; here it is a tensor with a column for each class: {shown}"

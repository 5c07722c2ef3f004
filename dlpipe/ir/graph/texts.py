"""Texts that a model knows, by the input that it looks for them in: tables come with their categories."""

from collections.abc import Iterator
from typing import Any

import onnx

from . import writing

ANY = [str(digit) for digit in range(10)]  # where nothing tells: they can be read as numbers too
_KNOWN_IN = {
    "LabelEncoder": ("keys_strings", "classes_strings", "keys_tensor"),
    "OneHotEncoder": ("cats_strings",),
    "CategoryMapper": ("cats_strings",),
    "TfIdfVectorizer": ("pool_strings",),
}
_SAME = ("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "StringNormalizer")


def choices(model: Any) -> dict[str, list[str]]:
    """Input of texts -> those that the model tells apart, or some that any model may be given."""
    graph = model.graph
    stored = writing.Stored(model)
    makers = {name: node for node in graph.node for name in node.output}
    found: dict[str, list[str]] = {}
    for node in graph.node:
        if node.op_type in _KNOWN_IN or node.op_type == "Equal":
            for name in node.input:
                for source in _sources(name, makers, stored):
                    found.setdefault(source, []).extend(_texts(node, stored))
    texts = [each.name for each in graph.input if each.type.tensor_type.elem_type == onnx.TensorProto.STRING]
    return {name: sorted(set(found.get(name, []))) or ANY for name in texts}


def _sources(name: str, makers: dict[str, Any], stored: Any) -> Iterator[str]:
    """The inputs of the graph that a value comes from, its numbers untouched; of columns side by side, the one that is
    picked."""
    waiting = [name]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        node = makers.get(name)
        if name in seen:
            continue
        seen.add(name)
        if node is None:
            yield name
        elif node.op_type in _SAME:
            waiting.append(node.input[0])
        elif node.op_type == "Concat":
            waiting += node.input
        elif node.op_type in ("ArrayFeatureExtractor", "Gather"):
            waiting += _picked(node, makers, stored)


def _picked(node: Any, makers: dict[str, Any], stored: Any) -> list[str]:
    joined, places = makers.get(node.input[0]), stored.get(node.input[1])
    if joined is None or joined.op_type != "Concat" or places is None:
        return [node.input[0]]
    return [joined.input[place] for place in places.ravel() if 0 <= place < len(joined.input)]


def _texts(node: Any, stored: Any) -> list[str]:
    if node.op_type == "Equal":
        constants = [each for each in map(stored.get, node.input) if each is not None and each.dtype.kind in "OSU"]
        return [_text(each) for array in constants for each in array.ravel()]
    for attribute in node.attribute:
        if attribute.name in _KNOWN_IN[node.op_type]:
            given = onnx.helper.get_attribute_value(attribute)
            if isinstance(given, onnx.TensorProto):
                given = onnx.numpy_helper.to_array(given).ravel() if given.data_type == given.STRING else []
            return [_text(each) for each in given]
    return []


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

"""How often a loop goes round, where that is known before the model runs."""

from typing import Any

import onnx_ir as ir

from .infra import opset

_SCAN_OPSET = 9  # since which Scan has no batch dim of its own


class Stays(Exception):
    """Why a loop cannot be written out."""


def is_loop(node: ir.Node) -> bool:
    return node.domain == "" and node.op_type in ("Loop", "Scan")


def body(node: ir.Node) -> ir.Graph:
    return node.attributes["body"].as_graph()


def scan_inputs(node: ir.Node) -> int:
    """How many inputs are taken apart, one slice a step: the last ones of a Scan, none of a Loop."""
    return node.attributes["num_scan_inputs"].as_int() if node.op_type == "Scan" else 0


def per_port(node: ir.Node, name: str, count: int) -> list[int]:
    """A list attribute of Scan such as scan_input_axes, which is zeros where it is not given."""
    attribute = node.attributes.get(name)
    return list(attribute.as_ints()) if attribute is not None else [0] * count


def steps(model: ir.Model, node: ir.Node) -> int:
    """At least 1. Raises Stays."""
    count = _scan_length(model, node) if node.op_type == "Scan" else _trip_count(node)
    if count < 1:
        raise Stays("it never goes round")
    return count


def _scan_length(model: ir.Model, node: ir.Node) -> int:
    """The length of what is scanned; all of it has the same."""
    if opset(model) < _SCAN_OPSET:
        raise Stays(f"Scan of opset {opset(model)} goes round per item of the batch")
    count = scan_inputs(node)
    scanned = list(node.inputs)[len(node.inputs) - count :]
    free = "unknown"
    for value, axis in zip(scanned, per_port(node, "scan_input_axes", count), strict=True):
        assert value is not None
        size = value.shape[axis] if value.shape is not None else None
        if isinstance(size, int):
            return size
        free = getattr(size, "value", None) or free
    raise Stays(f"its length is the free dim {free}")


def _trip_count(node: ir.Node) -> int:
    limit, start = node.inputs[0], node.inputs[1]
    if start is not None and not _known_true(start):
        raise Stays("whether it begins depends on the input")
    go_on = body(node).outputs[0]
    while (above := go_on.producer()) is not None and above.op_type == "Identity" and above.inputs[0] is not None:
        go_on = above.inputs[0]
    if go_on is not body(node).inputs[1] and not _known_true(go_on):
        raise Stays("it goes on while a computed condition holds")
    count = _known(limit)
    if count is None:
        raise Stays("the number of steps is not a constant")
    return int(count)


def _known_true(value: ir.Value) -> bool:
    found = _known(value)
    return found is not None and bool(found)


def _known(value: ir.Value | None) -> Any:
    """The only element of a constant; None for what the user may feed, or is computed."""
    if value is None or (value.is_graph_input() and value.producer() is None):
        return None
    tensor = ir.convenience.get_const_tensor(value)
    return tensor.numpy().reshape(-1)[0] if tensor is not None and tensor.size == 1 else None

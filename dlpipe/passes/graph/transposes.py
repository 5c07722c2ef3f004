"""Transposes that follow each other."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from .identities import replace

Perm = tuple[int, ...]


def merge(graph: ir.Graph) -> list[str]:
    """Two that meet become one, and one that does nothing goes. Returns one line per change."""
    changes: list[str] = []
    for node in list(graph):
        perm = permutation(node) if node.op_type == "Transpose" and node.domain == "" else None
        source = node.inputs[0] if node.inputs else None
        if perm is None or source is None:
            continue
        above = source.producer()
        if above is not None and above.op_type == "Transpose" and above.domain == "":
            first, origin = permutation(above), above.inputs[0]
            if first is not None and origin is not None:
                perm, source = tuple(first[axis] for axis in perm), origin
        if perm == tuple(sorted(perm)):
            changes.append(f"{node.name}: a Transpose that does nothing, with what is before it")
            replace(node, source)
        elif source is not node.inputs[0]:
            changes.append(f"{node.name}: two Transposes became one")
            node.replace_input_with(0, source)
            node.attributes["perm"] = ir.AttrInt64s("perm", list(perm))
    return changes


def permutation(node: ir.Node) -> Perm | None:
    """The attribute; without one it reverses all axes, and the rank must be known."""
    if "perm" in node.attributes:
        return tuple(node.attributes["perm"].as_ints())
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    return None if shape is None else tuple(reversed(range(len(shape))))


def inverse(perm: Sequence[int]) -> Perm:
    return tuple(int(axis) for axis in np.argsort(perm))

"""Reshape, Flatten, Squeeze and Unsqueeze: several in a row are one, and some do nothing."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from .identities import replace
from .infra import GraphPass, Rewritten, Work, add_constant, infer_again
from .transposes import permutation

_RESHAPING = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
_Shape = Sequence[Any]  # a dim is an int, a name, or None


class Reshapes(GraphPass):
    """Take out chains of operators that only regroup elements.

        x[2,3,4] -> Reshape(6,4) -> Unsqueeze(0) -> Flatten -> y[1,24]       x -> Reshape(1,24) -> y
        x[N,8] -> Unsqueeze(2) -> Squeeze(2) -> y[N,8]                       x -> y
        x[1,C,1,1] -> Transpose(0,2,3,1) -> Reshape(1,C) -> y                x -> Reshape(1,C) -> y
        x[N,8] -> Reshape(-1,8) -> y[N,8]                                    x -> y

    A Transpose belongs to a chain where it only moves axes of size one. A chain ends at a value that something else
    reads. Requires nothing; a chain stays where the shapes at its ends are not known well enough: of the free dims of
    the result one may be anything, and the others must be dims of the source at the same place. Ensures that there are
    never more nodes. Exact: no element is computed. Source: the operators' definitions.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        _infer_all(model)
        changes: list[str] = []
        for graph in (model.graph, *model.graph.subgraphs()):
            for node in reversed(list(graph)):  # from their ends: chains are taken whole
                if node.graph is not None and _regroups(node):
                    changes += _shorten(node)
        return Rewritten(model, changes)


def _infer_all(model: ir.Model) -> None:
    """Outputs too: a free dim whose name says more than is so would become a wrong result."""
    for graph in (model.graph, *model.graph.subgraphs()):
        for value in graph.outputs:
            if value.producer() is not None:
                value.shape = None
    infer_again(model)


def _regroups(node: ir.Node) -> bool:
    """Whether it leaves all elements in their order."""
    if node.domain != "":
        return False
    if node.op_type == "Transpose":
        return _moves_ones_only(node)
    return node.op_type in _RESHAPING


def _moves_ones_only(node: ir.Node) -> bool:
    shape, perm = _shape(node.inputs[0]), permutation(node)
    if shape is None or perm is None:
        return False
    moved = [axis for axis in perm if shape[axis] != 1]
    return moved == sorted(moved)


def _shorten(last: ir.Node) -> list[str]:
    """What is gone, in one line; nothing where the chain stays."""
    chain = _chain(last)
    made = last.outputs[0]
    for length in range(len(chain), 0, -1):  # the longest part of the chain that can be left out
        part = chain[:length]
        source = part[-1].inputs[0]
        assert source is not None
        names = ", ".join(node.name or node.op_type for node in reversed(part))
        if same_shape(_shape(source), _shape(made)):
            replace(last, source)
            _remove(part[1:])
            return [f"{names}: {len(part)} operators that leave {source.name} as it is"]
        if length > 1 and any(node.op_type != "Transpose" for node in part):
            target = _target(_shape(source), _shape(made))
            if target is not None:
                _put_reshape(last, source, target)
                _remove(part[1:])
                return [f"{names}: {len(part)} operators became one Reshape"]
    return []


def _chain(last: ir.Node) -> list[ir.Node]:
    """`last` and the nodes before it that nothing else reads."""
    chain = [last]
    while True:
        source = chain[-1].inputs[0]
        before = source.producer() if source is not None else None
        if source is None or before is None or before.graph is not last.graph or not _regroups(before):
            return chain
        if len(source.uses()) != 1 or source.is_graph_output():
            return chain
        chain.append(before)


def _remove(chain: list[ir.Node]) -> None:
    for node in chain:
        assert node.graph is not None
        node.graph.remove(node, safe=True)


def _put_reshape(last: ir.Node, source: ir.Value, target: list[int]) -> None:
    shape = add_constant(last.graph, np.array(target, np.int64), f"{last.name or last.outputs[0].name}/shape")
    made = ir.Node("", "Reshape", [source, shape], name=last.name)
    made.outputs[0].name = last.outputs[0].name
    made.outputs[0].type, made.outputs[0].shape = last.outputs[0].type, last.outputs[0].shape
    last.append(made)
    replace(last, made.outputs[0])


def _target(source: _Shape | None, made: _Shape | None) -> list[int] | None:
    """What to tell Reshape: a size, 0 for the size that the source has at the same place, -1 for what is left."""
    if source is None or made is None:
        return None
    target = []
    for axis, dim in enumerate(made):
        if isinstance(dim, int):
            target.append(dim)
        else:
            target.append(0 if dim is not None and axis < len(source) and source[axis] == dim else -1)
    sizes_known = not any(dim == 0 for dim in (*made, *source))  # 0 is no size to Reshape
    return target if sizes_known and target.count(-1) <= 1 else None


def same_shape(one: _Shape | None, other: _Shape | None) -> bool:
    """Whether two values of equally many elements have the same shape for certain."""
    if one is None or other is None or len(one) != len(other):
        return False
    differ = [(a, b) for a, b in zip(one, other, strict=True) if a is None or a != b]
    if not differ:
        return True
    alike = [a for a, b in zip(one, other, strict=True) if a is not None and a == b]
    free = all(not isinstance(a, int) or not isinstance(b, int) for a, b in differ)
    # With all other dims alike and none of them 0, equally many elements leave one size for the last.
    return len(differ) == 1 and free and all(isinstance(size, int) for size in alike) and math.prod(alike) > 0


def _shape(value: ir.Value | None) -> list[Any] | None:
    if value is None or value.shape is None:
        return None
    return [dim if isinstance(dim, int) else dim.value for dim in value.shape]

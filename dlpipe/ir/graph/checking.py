"""Is this a valid ONNX model that can be worked on? Every complaint names the node where one is to blame."""

import re
from pathlib import Path
from typing import Any

import onnx
from dlpipe_worker import Refused

from . import files, walk

MAX_TENSOR_BYTES = 4 << 30  # of any tensor whose size is known before the model runs
_NODE_NAME = re.compile(r"node name: ([^)\s]*)\)|Bad node spec for node\. Name: (\S+)")
_OP_TYPE = re.compile(r"op_type:\s?([\w.:]+)|OpType: (\w+)|No Op registered for (\w+)|No Adapter .* for (\w+)")


def check(path: Path) -> Any:
    """Returns the ModelProto with inferred shapes (weights in external files stay there). Raises Refused."""
    model = files.read(path)
    refuse_cycles(model.graph)
    try:
        onnx.checker.check_model(_checkable(model, path), full_check=False)
    except onnx.checker.ValidationError as error:
        raise complaint(error) from error
    inferred = infer(model, strict=True)
    for graph in walk.graphs(inferred.graph):
        _refuse_huge(graph)
    return inferred


def _checkable(model: Any, path: Path) -> Any:
    """What onnx's checker is given: the file, or, where weights lie beside it, a copy that takes these for inputs; and
    where an output has a shape that only a run tells, one that says something.

    The checker refuses a file with a further hard link, as the store's have; `files.read` has held what the weights
    declare against what is stored already.
    """
    outside = [each for each in model.graph.initializer if each.data_location == onnx.TensorProto.EXTERNAL]
    untold = any(walk.dims(value) is None for value in model.graph.output)
    if not outside and not untold:
        return str(path)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()
    inside = [each for each in copy.graph.initializer if each.data_location != onnx.TensorProto.EXTERNAL]
    del copy.graph.initializer[:]
    copy.graph.initializer.extend(inside)
    fed = {value.name for value in copy.graph.input}
    copy.graph.input.extend(
        onnx.helper.make_tensor_value_info(each.name, each.data_type, list(each.dims))
        for each in outside
        if each.name not in fed
    )
    return copy


def infer(model: Any, *, strict: bool) -> Any:
    """The model with the shapes of its intermediate values."""
    try:
        return onnx.shape_inference.infer_shapes(model, check_type=strict, strict_mode=strict, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise complaint(error) from error


def complaint(error: Exception) -> Refused:
    """The first line of what ONNX says, with the node it speaks of."""
    text = str(error)
    node, op = _NODE_NAME.search(text), _OP_TYPE.search(text)
    return Refused(
        "not a valid ONNX model: " + text.strip().split("\n")[0][:500],
        node=next((group for group in node.groups() if group), None) if node else None,
        op=next((group for group in op.groups() if group), None) if op else None,
    )


def refuse_cycles(graph: Any) -> None:
    """Kahn's algorithm over the main graph; what is left over when nothing more can be computed lies on a cycle
    or behind one."""
    producer = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    waiting = [len({producer[name] for name in reads(node) if name in producer}) for node in graph.node]
    readers: dict[int, list[int]] = {}
    for index, node in enumerate(graph.node):
        for source in {producer[name] for name in reads(node) if name in producer}:
            readers.setdefault(source, []).append(index)
    ready = [index for index, count in enumerate(waiting) if count == 0]
    done = 0
    while ready:
        done += 1
        for reader in readers.get(ready.pop(), []):
            waiting[reader] -= 1
            if waiting[reader] == 0:
                ready.append(reader)
    if done < len(graph.node):
        node = graph.node[next(index for index, count in enumerate(waiting) if count > 0)]
        raise Refused("the graph has a cycle", node=node.name or None, op=node.op_type)


def reads(node: Any) -> set[str]:
    """Names of the values a node needs, those that its nested graphs take from outside included."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            inner = {value.name for value in body.input} | {value.name for value in body.initializer}
            inner |= {name for each in body.node for name in each.output}
            for each in body.node:
                names |= reads(each) - inner
            names |= {value.name for value in body.output} - inner
    return names


def _refuse_huge(graph: Any) -> None:
    producer = {name: node for node in graph.node for name in node.output}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shape = walk.dims(value)
        if shape is None:
            continue
        known = [size for size in shape if isinstance(size, int)]
        size = walk.elements(known) * walk.item_bits(value.type.tensor_type.elem_type) // 8
        if size > MAX_TENSOR_BYTES:
            node = producer.get(value.name)
            raise Refused(
                f"{value.name!r} would take {size} bytes; the limit for one tensor is {MAX_TENSOR_BYTES}",
                hint="give smaller shapes",
                node=node.name if node is not None else None,
                op=node.op_type if node is not None else None,
            )

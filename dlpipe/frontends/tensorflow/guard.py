"""What is refused before TensorFlow sees it: cycles, dangling inputs, size bombs, code, operators nobody knows."""

from collections.abc import Iterable
from math import prod
from typing import Any

from dlpipe_worker import Refused

from .graphs import CONTROL_FLOW_BACK_EDGE, Graph, Index, Node, split

EXECUTES_CODE = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc", "RemoteCall", "XlaHostCompute"})
NOT_FROZEN = frozenset({"Variable", "VariableV2", "VarHandleOp", "TemporaryVariable"})
LARGEST_TENSOR = 8 << 30  # bytes


def check(graph: Graph, *, frozen: bool) -> None:
    """Raises Refused. `frozen`: the graph must hold its weights, as a lone `.pb` does."""
    functions = {function.signature.name: function for function in graph.library.function}
    _check_names(graph.node)
    for where, nodes in _bodies(graph):
        for node in nodes:
            _check_node(node, functions, where)
    _check_wiring(graph)
    _check_calls(functions)
    if frozen:
        _check_frozen(graph)


def _bodies(graph: Graph) -> Iterable[tuple[str, Iterable[Node]]]:
    yield "", graph.node
    for function in graph.library.function:
        yield f" (in function {function.signature.name})", function.node_def


def _check_names(nodes: Iterable[Node]) -> None:
    seen: set[str] = set()
    for node in nodes:
        if node.name in seen or not node.name:
            raise Refused(
                f"the graph has {'two nodes' if node.name else 'a node'} called {node.name!r}", node=node.name
            )
        seen.add(node.name)


def _check_node(node: Node, functions: dict[str, Any], where: str) -> None:
    from tensorflow.python.framework import op_def_registry

    if node.op in EXECUTES_CODE:
        raise Refused(
            f"node {node.name}{where} is a {node.op}: it runs Python code that is not in the file",
            kind="unsupported",
            hint="export the model without tf.py_function or tf.numpy_function",
            node=node.name,
            op=node.op,
        )
    if node.op not in functions and op_def_registry.get(node.op) is None:
        raise Refused(
            f"node {node.name}{where} uses the operator {node.op!r}, which TensorFlow does not have",
            kind="unsupported",
            hint="custom operators live in a library of their own, which is not loaded",
            node=node.name,
            op=node.op,
        )
    if node.op == "Const":
        _check_const(node, where)


def _check_const(node: Node, where: str) -> None:
    """A constant may claim a shape and repeat its last value: 20 bytes of file can ask for any amount of memory."""
    from tensorflow.python.framework import dtypes

    tensor = node.attr["value"].tensor
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    try:
        itemsize = dtypes.as_dtype(tensor.dtype).size or 1
    except TypeError:
        raise Refused(f"constant {node.name}{where} has no known data type", node=node.name, op="Const") from None
    size = prod(shape) * itemsize
    if any(dim < 0 for dim in shape) or size > LARGEST_TENSOR:
        raise Refused(f"constant {node.name}{where} claims the shape {shape}", node=node.name, op="Const")
    content = len(tensor.tensor_content)
    if content and dtypes.as_dtype(tensor.dtype) != dtypes.string and content != size:
        raise Refused(
            f"constant {node.name}{where} holds {content} bytes, its shape {shape} needs {size}: the file is damaged",
            node=node.name,
            op="Const",
        )


def _check_wiring(graph: Graph) -> None:
    """Every input exists, and nothing depends on itself but through a loop's back edge (Kahn's algorithm)."""
    index = Index(graph)
    missing: dict[str, int] = {}
    for node in graph.node:
        sources = {split(tensor)[0] for tensor in node.input}
        for source in sources:
            if source not in index.nodes:
                raise Refused(
                    f"node {node.name} reads from {source!r}, which is not in the graph", node=node.name, op=node.op
                )
        missing[node.name] = sum(index.nodes[source].op != CONTROL_FLOW_BACK_EDGE for source in sources)
    ready = [name for name, count in missing.items() if count == 0]
    done = 0
    while ready:
        name = ready.pop()
        done += 1
        if index.nodes[name].op == CONTROL_FLOW_BACK_EDGE:
            continue
        for consumer in index.consumers.get(name, ()):
            missing[consumer.name] -= 1
            if missing[consumer.name] == 0:
                ready.append(consumer.name)
    if done < len(graph.node):
        name = next(name for name, count in missing.items() if count > 0)
        raise Refused(f"the graph is cyclic: node {name} depends on its own output", node=name, op=index.nodes[name].op)


def _check_calls(functions: dict[str, Any]) -> None:
    """Functions that call each other in a circle would be inlined for ever."""
    calls = {
        name: sorted({called for node in function.node_def for called in _called(node) if called in functions})
        for name, function in functions.items()
    }
    waiting = {name: len(called) for name, called in calls.items()}
    callers: dict[str, list[str]] = {}
    for name, called in calls.items():
        for each in called:
            callers.setdefault(each, []).append(name)
    ready = [name for name, count in waiting.items() if count == 0]
    while ready:
        name = ready.pop()
        del waiting[name]
        for caller in callers.get(name, ()):
            waiting[caller] -= 1
            if waiting[caller] == 0:
                ready.append(caller)
    if waiting:
        raise Refused(f"the functions of the graph call each other in a circle: {min(waiting)}")


def _called(node: Node) -> list[str]:
    named = [value.func.name for value in node.attr.values() if value.HasField("func")]
    listed = [each.name for value in node.attr.values() for each in value.list.func]
    return [node.op, *named, *listed]


def _check_frozen(graph: Graph) -> None:
    for node in graph.node:
        if node.op in NOT_FROZEN:
            raise Refused(
                f"the graph is not frozen: node {node.name} is a {node.op}, and its values are not in the file",
                kind="unsupported",
                hint="give the SavedModel folder, or freeze the graph with its checkpoint",
                node=node.name,
                op=node.op,
            )


def check_shapes(graph: Any) -> None:
    """After shape inference (`tf.Graph`): no tensor may be larger than any machine's memory."""
    for operation in graph.get_operations():
        for tensor in operation.outputs:
            if (
                tensor.shape.is_fully_defined()
                and tensor.shape.num_elements() * (tensor.dtype.size or 1) > LARGEST_TENSOR
            ):
                raise Refused(
                    f"{tensor.name} has the shape {tensor.shape.as_list()}: no machine holds that",
                    node=operation.name,
                    op=operation.type,
                )

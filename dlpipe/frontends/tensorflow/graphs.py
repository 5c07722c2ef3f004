"""TensorFlow graphs as protobuf: reading, walking, cutting. `Node` and `Graph` are NodeDef and GraphDef."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

Node = Any
Graph = Any

CONTROL_FLOW_BACK_EDGE = "NextIteration"  # the one operator of TF1 loops that closes a cycle, by design


def read_graph(path: Path) -> Graph:
    """A frozen GraphDef, binary or (`.pbtxt`) text. Raises Refused when the bytes are no such thing."""
    from google.protobuf.message import DecodeError
    from google.protobuf.text_format import ParseError
    from tensorflow.core.framework import graph_pb2

    try:
        data = path.read_bytes()
        graph = graph_pb2.GraphDef()
        if path.suffix == ".pbtxt":
            parse_text(data, graph)
        else:
            graph.ParseFromString(data)
    except OSError as error:
        raise Refused(f"{path.name} cannot be read: {error.strerror}") from None
    except (DecodeError, ParseError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"{path.name} is not a whole TensorFlow GraphDef: {first_line(error)}") from None
    if not graph.node:
        raise Refused(f"{path.name} holds a TensorFlow graph without any node")
    return graph


def parse_text(data: bytes, message: Any) -> None:
    from google.protobuf import text_format

    text_format.Parse(data.decode("utf-8"), message)


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def split(tensor: str) -> tuple[str, int]:
    """`node`, `node:1` and `^node` (a control input, port -1) into node name and output port."""
    if tensor.startswith("^"):
        return tensor[1:], -1
    node, colon, port = tensor.rpartition(":")
    return (node, int(port)) if colon and port.isdigit() else (tensor, 0)


def canonical(tensor: str) -> str:
    """The tensor's full name, with its port: `x` is `x:0`."""
    node, port = split(tensor)
    return f"{node}:{port}"


class Index:
    """Names of a graph's nodes, and who consumes what. Built once; a node's inputs may be rewired afterwards."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: dict[str, Node] = {node.name: node for node in graph.node}
        self.consumers: dict[str, list[Node]] = {}  # node name -> nodes that read any of its outputs
        for node in graph.node:
            for tensor in dict.fromkeys(split(each)[0] for each in node.input):
                self.consumers.setdefault(tensor, []).append(node)

    def ancestors(self, names: Iterable[str], *, stop: Iterable[str] = ()) -> set[str]:
        """The nodes that `names` need, themselves included. Tensors in `stop` are not walked through."""
        stopped = {canonical(each) for each in stop}
        seen: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.nodes:
                continue
            seen.add(name)
            for tensor in self.nodes[name].input:
                if canonical(tensor) not in stopped:
                    waiting.append(split(tensor)[0])
        return seen

    def descendants(self, names: Iterable[str]) -> set[str]:
        """The nodes that depend on `names`, themselves included."""
        seen: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting.extend(node.name for node in self.consumers.get(name, ()))
        return seen


def extract(graph: Graph, inputs: Mapping[str, Node], outputs: Iterable[str]) -> tuple[Graph, dict[str, str]]:
    """The part of `graph` that makes the tensors `outputs`, with every tensor of `inputs` replaced by the given node.

    Before:  wav -> DecodeWav -> Mfcc -> Reshape -> ...     inputs = {"Mfcc:0": Placeholder "Mfcc"}
    After:   Mfcc (Placeholder) -> Reshape -> ...
    The order of the nodes is kept. A new node takes another name where its own is still needed. Returns the graph and
    the tensors' new names.
    """
    from tensorflow.core.framework import graph_pb2

    index = Index(graph)
    stop = {canonical(tensor) for tensor in inputs}
    wanted = [split(tensor)[0] for tensor in outputs if canonical(tensor) not in stop]
    kept = index.ancestors(wanted, stop=stop)
    cut = graph_pb2.GraphDef(versions=graph.versions, library=graph.library)
    renamed: dict[str, str] = {}
    for tensor, node in inputs.items():
        name = unused_name(node.name, kept | set(renamed.values()))
        renamed[canonical(tensor)] = name
        cut.node.add().CopyFrom(node)
        cut.node[-1].name = name
    for node in graph.node:
        if node.name in kept:
            copied = cut.node.add()
            copied.CopyFrom(node)
            del copied.input[:]
            for tensor in node.input:
                if split(tensor)[1] < 0 and split(tensor)[0] not in kept:
                    continue  # a control edge from what was cut away
                copied.input.append(renamed.get(canonical(tensor), tensor))
            strip(copied)
    return cut, {tensor: f"{name}:0" for tensor, name in renamed.items()}


def strip(node: Node) -> None:
    """Remove what only the machine that wrote the graph meant: devices, colocation, cached shapes."""
    node.device = ""
    for attribute in ("_class", "_output_shapes"):
        if attribute in node.attr:
            del node.attr[attribute]


def unused_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def placeholder(name: str, dtype: int, shape: Iterable[int | None]) -> Node:
    """A Placeholder node; None is an unknown dim."""
    from tensorflow.core.framework import node_def_pb2

    node = node_def_pb2.NodeDef(name=name, op="Placeholder")
    node.attr["dtype"].type = dtype
    node.attr["shape"].shape.SetInParent()
    for dim in shape:
        node.attr["shape"].shape.dim.add().size = -1 if dim is None else dim
    return node

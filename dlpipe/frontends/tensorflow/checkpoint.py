"""Checkpoints of TensorFlow 1: a MetaGraphDef (`x.meta`) and its variables (`x.index`, `x.data-00000-of-00001`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

from . import guard, interface
from .graphs import Graph, Index, first_line, parse_text, split
from .original import import_graph

# What a training graph holds besides the net: it saves, trains and reports.
_SCOPES = ("save/", "save_", "gradients/", "gradients_", "report_uninitialized_variables", "init", "summaries/")
_READS = frozenset({"Identity", "ReadVariableOp", "Enter", "Switch"})  # through which a weight reaches its layer
_TRAINS = ("Apply", "ResourceApply", "SparseApply", "Assign", "Scatter")


def prefix(folder: str, entry: str) -> Path:
    """What the names of the checkpoint's files begin with."""
    path = Path(folder) / entry
    return path.with_suffix("") if path.suffix == ".meta" else path


def read_meta_graph(path: Path) -> Any:
    """Raises Refused when the bytes are no MetaGraphDef. `path`: see `prefix`."""
    from google.protobuf.message import DecodeError
    from google.protobuf.text_format import ParseError
    from tensorflow.core.protobuf import meta_graph_pb2

    file, meta = path.with_name(path.name + ".meta"), meta_graph_pb2.MetaGraphDef()
    try:
        data = file.read_bytes()
        try:
            meta.ParseFromString(data)
        except DecodeError:
            parse_text(data, meta)
    except OSError as error:
        raise Refused(f"{file.name} cannot be read: {error.strerror}") from None
    except (DecodeError, ParseError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"{file.name} is not a whole TensorFlow MetaGraphDef: {first_line(error)}") from None
    if not meta.graph_def.node:
        raise Refused(f"{file.name} holds a TensorFlow graph without any node")
    guard.check(meta.graph_def, frozen=False)
    return meta


@contextmanager
def open_session(path: Path, meta: Any, config: Any) -> Iterator[tuple[Any, Any]]:
    """The graph with its variables restored, in a session of its own: (session, tf.Graph)."""
    import tensorflow as tf

    if not path.with_name(path.name + ".index").is_file():
        raise Refused(
            f"the variables of {path.name} are missing",
            kind="unsupported",
            hint=f"put {path.name}.index and {path.name}.data-00000-of-00001 beside {path.name}.meta",
        )
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph, config=config)
    try:
        try:
            with graph.as_default(), session.as_default():  # for the loading only, see `open_graph`
                saver = tf.compat.v1.train.import_meta_graph(meta, clear_devices=True)
                (saver or tf.compat.v1.train.Saver()).restore(session, str(path))
        except (tf.errors.OpError, ValueError, KeyError, IndexError, TypeError, OSError) as error:
            message = first_line(error).replace(str(path.parent), "the folder")
            raise Refused(f"TensorFlow cannot restore the checkpoint: {message}") from None
        yield session, graph
    finally:
        session.close()


def freeze(path: Path, chosen: list[str]) -> tuple[Graph, list[str]]:
    """(what the outputs need, with the variables as constants; the outputs). `chosen`: the user's, or none."""
    import tensorflow as tf
    from tf2onnx.tf_loader import tf_optimize

    meta = read_meta_graph(path)
    index = Index(meta.graph_def)
    outputs = [interface.named_tensor(name, index, "output") for name in chosen] or _outputs(meta)
    with open_session(path, meta, None) as (session, graph), graph.as_default():
        nodes = [split(tensor)[0] for tensor in outputs]
        try:
            frozen = tf.compat.v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), nodes)
            if frozen.library.function:
                frozen = tf_optimize(interface.find_inputs(frozen), outputs, frozen)
        except (tf.errors.OpError, ValueError, KeyError, TypeError) as error:
            raise Refused(f"TensorFlow cannot freeze the checkpoint: {first_line(error)}") from None
    guard.check(frozen, frozen=True)
    return frozen, outputs


def _outputs(meta: Any) -> list[str]:
    """Of the signature, where the file has one; else what no other part of the net reads.

    A loss is no output, nor is anything else that needs the labels. Raises Refused where nothing else is left.
    """
    from tensorflow.core.framework import graph_pb2

    for signature in meta.signature_def.values():
        if signature.outputs:
            return [signature.outputs[name].name for name in sorted(signature.outputs)]
    trains = Index(meta.graph_def).descendants(node.name for node in meta.graph_def.node if _is_training(node))
    net = graph_pb2.GraphDef(versions=meta.graph_def.versions, library=meta.graph_def.library)
    net.node.extend(node for node in meta.graph_def.node if node.name not in trains)
    index, inferred = Index(net), import_graph(net)
    judged = index.descendants(_labels(index))
    ends = interface.find_outputs(net, index, inferred)
    found = [
        each for each in ends if split(each)[0] not in judged and inferred.get_tensor_by_name(each).shape.rank != 0
    ]
    if ends and not found:
        read = {split(name)[0] for node in net.node if node.name in judged for name in node.input}
        net_ends = [
            name for name in sorted(read - judged) if name in _fed(index) and "Shape" not in index.nodes[name].op
        ]
        raise Refused(
            f"the graph ends in {', '.join(sorted({split(end)[0] for end in ends}))}: what training measures, and no "
            "prediction",
            kind="unsupported",
            hint=f"name the prediction with --output; these are measured: {', '.join(net_ends[:6])}",
        )
    return found


def _fed(index: Index) -> set[str]:
    return index.descendants(split(name)[0] for name in interface.find_inputs(index.graph))


def _labels(index: Index) -> list[str]:
    """The placeholders that meet no weight: what is fed is compared with the net's answer, not put into it."""
    weights = {node.name for node in index.graph.node if node.op in guard.NOT_FROZEN}
    for node in index.graph.node:  # in the order in which they were made
        if node.op in _READS and node.input and split(node.input[0])[0] in weights:
            weights.add(node.name)
    layers = {
        node.name
        for node in index.graph.node
        if node.name not in weights and any(split(name)[0] in weights for name in node.input)
    }
    fed = [split(name)[0] for name in interface.find_inputs(index.graph)]
    labels = [name for name in fed if not index.descendants([name]) & layers]
    return labels if len(labels) < len(fed) else []


def _is_training(node: Any) -> bool:
    return bool(node.name.startswith(_SCOPES) or node.op.startswith(_TRAINS))

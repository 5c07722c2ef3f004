"""Inputs and outputs of a graph that does not name them."""

from dataclasses import dataclass
from typing import Any

from dlpipe_worker import Refused

from .graphs import Graph, Index, canonical, split

PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})
# Nodes that nobody consumes and that are still not what the graph is for.
NEVER_OUTPUTS = PLACEHOLDERS | frozenset(
    {"Const", "NoOp", "Assert", "Print", "PrintV2", "Save", "SaveV2", "SaveSlices", "RestoreV2", "ShardedFilename"}
    | {"MergeV2Checkpoints", "WriteFile", "NextIteration", "LoopCond", "Assign", "AssignVariableOp", "CheckNumerics"}
    | {"ScalarSummary", "HistogramSummary", "ImageSummary", "AudioSummary", "MergeSummary", "TensorSummaryV2"}
)


@dataclass(frozen=True)
class Setting:
    """An input that is no data but a switch of training, and the value it has at inference."""

    tensor: str
    value: float | int | bool
    why: str


def find_inputs(graph: Graph) -> list[str]:
    return [f"{node.name}:0" for node in graph.node if node.op in PLACEHOLDERS]


def find_outputs(graph: Graph, index: Index, inferred: Any) -> list[str]:
    """The outputs of the nodes that nobody reads and that depend on an input. `inferred` is the tf.Graph."""
    fed = index.descendants(split(tensor)[0] for tensor in find_inputs(graph))
    found = []
    for node in graph.node:
        if node.op in NEVER_OUTPUTS or node.name not in fed:
            continue
        data_readers = [
            reader
            for reader in index.consumers.get(node.name, ())
            if any(split(tensor)[0] == node.name and split(tensor)[1] >= 0 for tensor in reader.input)
        ]
        if any(reader.op not in ("Assert", "Print", "NoOp") for reader in data_readers):
            continue
        found += [tensor.name for tensor in inferred.get_operation_by_name(node.name).outputs]
    # Loops leave the last values of their counters behind; these are outputs only where there is nothing else.
    real = [name for name in found if index.nodes[split(name)[0]].op not in ("Exit", "Switch", "Merge")]
    return real or found


def named_tensor(name: str, index: Index, what: str) -> str:
    """What the user calls `name` or `name:1`. Raises Refused with near matches."""
    import difflib

    tensor = canonical(name)
    if split(tensor)[0] not in index.nodes:
        near = difflib.get_close_matches(split(tensor)[0], index.nodes, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else None
        raise Refused(f"the graph has no node for the {what} {name!r}", kind="unsupported", hint=hint)
    return tensor


def find_settings(inputs: list[str], graph: Any, index: Index) -> list[Setting]:
    """Among the inputs, the switches: scalars called keep_prob, is_training ..., and scalars with a default.

    `graph` is the tf.Graph, whose shapes are inferred.
    """
    settings = []
    for name in inputs:
        tensor = graph.get_tensor_by_name(name)
        node = index.nodes[split(name)[0]]
        if tensor.shape.rank not in (0, None) or tensor.dtype.name == "string":
            continue
        if node.op == "PlaceholderWithDefault":
            default = index.nodes.get(split(node.input[0])[0])
            if default is not None and default.op == "Const":
                from tensorflow.python.framework import tensor_util

                value = tensor_util.MakeNdarray(default.attr["value"].tensor)
                if value.ndim == 0:
                    settings.append(Setting(name, value.item(), "its default"))
                    continue
        guess = _inference_value(split(name)[0].rsplit("/", 1)[-1].lower(), tensor.dtype)
        if guess is not None:
            settings.append(Setting(name, guess, "its value at inference, told from its name"))
    return settings


def _inference_value(name: str, dtype: Any) -> float | bool | None:
    if dtype.is_bool and any(word in name for word in ("train", "phase", "dropout")):
        return False
    if dtype.is_bool and any(word in name for word in ("inference", "test", "eval")):
        return True
    if dtype.is_floating and "keep" in name:
        return 1.0
    if dtype.is_floating and "drop" in name:
        return 0.0
    return None

"""Which outputs are scores of classes, and what their numbers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

_KINDS = {"Softmax": "probabilities", "Sigmoid": "independent", "LogSoftmax": "log-probabilities"}
_NORMALISED = ("probabilities", "log-probabilities")
_LEAVES_VALUES = (
    "Cast",
    "DequantizeLinear",
    "Flatten",
    "Identity",
    "QuantizeLinear",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)


def told(model: Path, contract: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """The contract with `metadata.scores`: output's name -> "probabilities", "independent" (each between 0 and 1),
    "log-probabilities" or "logits"; and with those labels that there is an output for. labels: the user's, or the
    data's, which go before the contract's own.

    An output of as many numbers a sample as there are labels is scores; with no labels, one of which a softmax is the
    end. Others are left out: what they mean is not known.
    """
    contract = {"preprocessing": [], "labels": [], "metadata": {}, **contract}  # which a contract may leave out
    graph = onnx.load(str(model), load_external_data=False).graph
    producers = {name: node for node in graph.node for name in node.output}
    for names in (*filter(None, (labels, contract["labels"])), ()):
        found = {}
        for port in contract["outputs"]:
            count, kind = _classes(port), _KINDS.get(_end(producers, port["name"]), "logits")
            if count is not None and (count == len(names) if names else kind in _NORMALISED):
                found[port["name"]] = kind
        if found:
            metadata = {**contract["metadata"], "scores": found}
            return {**contract, "labels": list(names or contract["labels"]), "metadata": metadata}
    return contract


def _classes(port: Mapping[str, Any]) -> int | None:
    """How many numbers there are for one sample, along one axis; None where there are several axes, or whole numbers
    that are answers themselves."""
    sizes = [dim for dim in port["shape"][1:] if dim != 1] if len(port["shape"]) > 1 else list(port["shape"])
    batch = port["shape"][0] if len(port["shape"]) > 1 else 1
    known = len(sizes) == 1 and isinstance(sizes[0], int) and (batch == 1 or isinstance(batch, str))
    return sizes[0] if known and port["dtype"] not in ("int64", "int32", "bool") else None


def _end(producers: Mapping[str, Any], name: str) -> str:
    """The operator that last changed the values."""
    node = producers.get(name)
    while node is not None and node.op_type in _LEAVES_VALUES:
        node = producers.get(node.input[0])
    return node.op_type if node is not None else ""

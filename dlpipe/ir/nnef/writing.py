"""An ONNX model -> graph.nnef and its .dat files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

from . import elementwise, matrices, quantised, reducing, shaping, windows  # noqa: F401 - each enters its writers
from .folding import Folded
from .table import WRITERS
from .text import Text


def write(path: Path, shapes: Mapping[str, Sequence[int]], out: Path) -> dict[str, Any]:
    """shapes: of the inputs. See `write_call`."""
    model = Folded(path, shapes)
    text = Text(model)
    ports = [each.name for each in model.graph.input if each.name not in model.constants]
    inputs: dict[str, str] = {}
    for name in ports:
        if name not in shapes:
            raise Refused(f"the samples have no input {name!r}")
        result = text.bind(name)
        inputs[name] = str(result)
        text.put(result, "external", shape=list(shapes[name]), dtype=text.kind(model.dtypes[name], name))
    needed = _needed(model)
    for node in model.nodes:
        if not needed.intersection(node.output):
            continue
        text.node = node
        writer = WRITERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if writer is None:
            text.fail("there is no such operation" if not node.domain else f"an operator of {node.domain}")
        writer(text)
    text.node = None
    outputs = {each.name: _output(text, each.name, set(inputs)) for each in model.graph.output}
    text.save(out, model.graph.name or "network", list(inputs.values()), list(outputs.values()))
    return {
        "inputs": inputs,
        "outputs": outputs,
        "operations": text.operations,
        "shapes": {name: list(shapes[name]) for name in inputs},
    }


def _needed(model: Folded) -> set[str]:
    needed = {each.name for each in model.graph.output}
    for node in reversed(model.nodes):
        if needed.intersection(node.output):
            needed.update(node.input)
    return needed


def _output(text: Text, name: str, inputs: set[str]) -> str:
    """An output is the result of an operation, neither an input nor a weight."""
    value = text.tensor(name)
    if name in text.model.constants or name in inputs:
        result = text.fresh(f"{name}_output")
        text.put(result, "copy", value)
        return str(result)
    return str(value)

"""A cfg and its weights -> an ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request

from ..kit import emit, ports
from .cfg import Section, read_cfg
from .handlers import HANDLERS
from .step import TRAINING, Shape, Step
from .weights import Weights, find_weights

INPUT = "data"
HEADS = {"yolo", "region", "detection"}


def import_model(request: Request) -> dict[str, Any]:
    """See worker.py. Raises Refused, naming the layer, for whatever has no exact counterpart."""
    source, params = Path(request.inputs["source"]), request.params
    network, *sections = read_cfg(source / params["entry"])
    weights = Weights(find_weights(source, params["entry"]))
    shape = input_shape(network, params.get("inputs") or {})
    batch = (params.get("dims") or {}).get(ports.BATCH, ports.BATCH)
    graph = emit.Graph("darknet")
    graph.input(INPUT, "float32", [batch, *shape], INPUT, "NCHW" if len(shape) == 3 else None)
    for each in sections:
        graph.fresh(each.name)
    made: list[tuple[str, Shape]] = []
    found: dict[str, dict[str, Any]] = {}
    operators: dict[str, int] = {}
    for each in sections:
        before = made[-1] if made else (INPUT, shape)
        step = Step(graph, each, weights, made, before)
        step.net_size = (shape[1], shape[2]) if len(shape) == 3 else (0, 0)
        _run(step)
        assert step.result is not None
        made.append(step.result)
        operators[each.kind] = operators.get(each.kind, 0) + 1
        if step.head is not None:
            found[each.name] = step.head
    weights.finish()
    _declare(graph, sections, made, batch, list(params.get("outputs") or []))
    metadata = {"darknet_input": "RGB, 0 to 1", **({"boxes": found} if found else {})}
    labels = ports.read_labels(request.inputs["source"], params["entry"])
    contract = graph.save(request.out, labels=labels, metadata=metadata)
    return {"inputs": len(contract["inputs"]), "outputs": len(contract["outputs"]), "operators": operators}


def input_shape(network: Section, asked: Any) -> list[int]:
    """Without the batch: channels, height, width. asked: the user's shape, batch and all."""
    unknown = sorted(set(asked) - {INPUT})
    if unknown:
        raise Refused(f"the network has no input {unknown[0]!r}", hint=f"its input: {INPUT}")
    given = asked.get(INPUT, {}).get("shape")
    if given is not None:
        shape = list(given[1:])
    elif network.integer("height") and network.integer("width"):
        shape = [network.integer("channels", 3), network.integer("height"), network.integer("width")]
    else:
        shape = [network.integer("inputs")]
    if not shape or any(not isinstance(dim, int) or dim < 1 for dim in shape):
        raise Refused(f"the network's input has the shape {shape}", hint="--input data:1x3x416x416")
    return shape


def _run(step: Step) -> None:
    section = step.section
    handler = HANDLERS.get(section.kind)
    if handler is None:
        step.fail("dlpipe does not convert this layer", "unsupported")
    handler(step)
    unknown = sorted(set(section.options) - section.asked - TRAINING)
    if unknown:
        step.fail(f"it has the option {unknown[0]!r}, which dlpipe does not know", "unsupported")


def _declare(
    graph: emit.Graph, sections: list[Section], made: list[tuple[str, Shape]], batch: Any, asked: list[str]
) -> None:
    """The heads, and the last layer; or what the user asks for."""
    results = {section.name: shape for section, (_, shape) in zip(sections, made, strict=True)}
    for name in asked:
        if name not in results:
            raise Refused(f"the network has no layer {name!r}", hint=f"the last one is {sections[-1].name}")
    chosen = asked or [each.name for each in sections if each.kind in HEADS or each is sections[-1]]
    for name in chosen:
        shape = results[name]
        graph.output(name, "float32", [batch, *shape], name, "NCHW" if len(shape) == 3 else None)

"""A .mnn file -> an ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import ports
from ..kit.shaped import ShapedGraph
from .folding import can_fold, fold
from .ops import load_handlers
from .reading import Net, Op, read_net
from .schema import NHWC, TYPES
from .step import HANDLERS, Step

_MAX_DIM = 1 << 30
# What each convolution of MNN (products by Strassen's way, its own exponential) adds, as a share of the range.
# Measured: 2.4e-4 through YOLOX-Nano, whose import equals the ONNX file that it was made of to the bit.
_NOISE = 5e-6


def import_model(request: Request) -> dict[str, Any]:
    """See worker.py. Raises Refused, naming the operator, for whatever has no exact counterpart."""
    params = request.params
    load_handlers()
    net = read_net(Path(request.inputs["source"]) / params["entry"])
    graph = ShapedGraph("mnn")
    asked = list(params.get("outputs") or [])
    for name in asked:
        if name not in net.tensors:
            raise Refused(f"the model has no tensor {name!r}", hint=f"its last one is {net.tensors[-1]}")
    given = params.get("inputs") or {}
    known = [net.tensors[op.outputs[0]] for op in net.ops if op.type == "Input" and op.outputs]
    if unknown := sorted(set(given) - set(known)):
        raise Refused(f"the model has no input {unknown[0]!r}", hint=f"its inputs: {', '.join(known[:8])}")
    for op in net.ops:
        for each in op.outputs if op.type != "Input" else ():
            graph.fresh(net.tensors[each])
    values: dict[int, str] = {}
    formats: dict[int, int] = {}
    operators: dict[str, int] = {}
    for op in _needed(net, asked):
        operators[op.type] = operators.get(op.type, 0) + 1
        if op.type == "Input":
            _input(graph, op, net, values, formats, params)
        else:
            _convert(graph, op, net, values, formats)
    _declare(graph, net, asked or _outputs(net), values, formats)
    labels = ports.read_labels(request.inputs["source"], params["entry"])
    contract = graph.save(request.out, labels=labels, metadata=_resolution(graph, operators))
    return {"inputs": len(contract["inputs"]), "outputs": len(contract["outputs"]), "operators": operators}


def _resolution(graph: ShapedGraph, operators: dict[str, int]) -> dict[str, Any]:
    """How finely MNN computes (dlpipe/measure/tolerances.py)."""
    share = _NOISE * (operators.get("Convolution", 0) + operators.get("ConvolutionDepthwise", 0))
    return {"resolution": {each["name"]: {"range": share} for each in graph.outputs}} if share else {}


def _input(graph: ShapedGraph, op: Op, net: Net, values: dict[int, str], formats: dict[int, int], params: Any) -> None:
    table = op.table("Input")
    if len(op.outputs) != 1:
        op.fail("an input makes one tensor")
    number, name = op.outputs[0], net.tensors[op.outputs[0]]
    kind = int(table.number(1, "int32", 1))
    if kind not in TYPES:
        op.fail(f"it is of the type {kind}", "unsupported")
    given = (params.get("inputs") or {}).get(name, {}).get("shape")
    shape: list[Any] = list(given) if given is not None else [int(each) for each in table.array(0, "int32")]
    dims = params.get("dims") or {}
    if shape and shape[0] in (-1, 0):
        shape[0] = dims.get(ports.BATCH, ports.BATCH)
    if any(isinstance(dim, int) and not 0 < dim < _MAX_DIM for dim in shape):
        op.fail(f"its shape is {shape}", "unsupported", f"give it: --input {name}:1x3x224x224")
    formats[number] = int(table.number(2, "int8", 2))
    layout = None if len(shape) != 4 else "NHWC" if formats[number] == NHWC else "NCHW"
    values[number] = graph.input(name, np.dtype(TYPES[kind][0]), shape, name, layout)


def _convert(graph: ShapedGraph, op: Op, net: Net, values: dict[int, str], formats: dict[int, int]) -> None:
    step = Step(graph, op, values, formats, [net.tensors[each] for each in op.outputs])
    handler = HANDLERS.get(op.type)
    if handler is None:
        step.unsupported("dlpipe does not convert this operator")
    if any(each in values for each in op.outputs):
        step.fail("it makes a tensor that is there already")
    folded = can_fold(graph, op, values)
    if folded:
        for number, array in zip(op.outputs, fold(graph, op, handler, values, formats), strict=True):
            values[number], formats[number] = step.constant(array, "folded"), step.format
    else:
        handler(step)
    for each in op.outputs:
        shape = graph.shape(values[each]) if each in values else None
        if shape is None or (not folded and any(isinstance(dim, int) and dim < 1 for dim in shape)):
            step.fail(f"its result {net.tensors[each]!r} would have the shape {shape}")


def _needed(net: Net, asked: list[str]) -> list[Op]:
    """The operators that the outputs asked for (or all) rest on."""
    if not asked:
        return net.ops
    wanted = {index for index, name in enumerate(net.tensors) if name in asked}
    kept = []
    for op in reversed(net.ops):
        if wanted.intersection(op.outputs):
            wanted.update(op.inputs)
            kept.append(op)
    return kept[::-1]


def _outputs(net: Net) -> list[str]:
    """Those that the file names, and else what no operator reads. Constants are none."""
    read = {each for op in net.ops for each in op.inputs}
    made = [each for op in net.ops if op.type not in ("Input", "Const") for each in op.outputs]
    named = [name for name in net.outputs if name in {net.tensors[each] for each in made}]
    return named or [net.tensors[each] for each in made if each not in read]


def _declare(graph: ShapedGraph, net: Net, outputs: list[str], values: dict[int, str], formats: dict[int, int]) -> None:
    numbers = {net.tensors[each]: each for op in net.ops for each in op.outputs}
    taken = {each["name"] for each in graph.inputs}
    for name in dict.fromkeys(outputs):
        number = numbers.get(name)
        if number is None or number not in values:
            raise Refused(f"nothing computes the output {name!r}")
        value = values[number]
        if value != name or value in taken or graph.array(value) is not None:
            value = graph.node("Identity", [value], None if name in taken else name, f"output {name}")
        shape = [dim if dim is not None else f"{name}_{index}" for index, dim in enumerate(graph.shape(value) or ())]
        layout = None if len(shape) != 4 else "NHWC" if formats[number] == NHWC else "NCHW"
        graph.output(value, graph.dtype(value) or np.float32, shape, name, layout)

"""source -> model.onnx, contract.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from dlpipe_worker import Refused, Request
from onnx import helper

from ..kit import ports
from . import adaptive, converting, lists, squeezing
from .inferring import inferred
from .loading import TOOL, load

IMAGE, OTHER = 64, 8  # what a free dim is in generated inputs
_IMAGE_DIMS = {2: "H", 3: "W"}


def import_model(request: Request) -> dict[str, Any]:
    """params: entry, format, inputs (name -> {"shape", "dtype"}), outputs (names), dims (free dim -> size)."""
    given = request.params
    program = load(request.inputs["source"], given["entry"], given["format"])
    model, squeezes, pools = converting.convert(program)
    graph = model.graph
    _rename_outputs(graph, program.names())
    if given.get("outputs"):
        _choose(graph, given["outputs"])
    example_dims = _settle_inputs(graph, given.get("inputs") or {}, given.get("dims") or {})
    adaptive.settle(model, pools)
    lists.flatten(model)
    if free := squeezing.settle(model, squeezes):
        request.note(
            f"squeeze ({', '.join(free)}) leaves dims that are not 1: the free dims are taken to be larger than that. "
            "If they are not, fix them with --input"
        )
    _infer_outputs(model)
    model.producer_name, model.producer_version = "dlpipe", ""
    converting.save(model, Path(request.out) / "model.onnx")
    labels = ports.read_labels(request.inputs["source"], given["entry"])
    inputs, outputs = ([_port(value) for value in side] for side in (graph.input, graph.output))
    ports.write_contract(request.out, inputs, outputs, labels, {"example_dims": example_dims} if example_dims else None)
    return {"tool": f"paddle2onnx of {TOOL}"}


def _rename_outputs(graph: Any, names: list[str]) -> None:
    """paddle2onnx numbers them; the program's own names are kept."""
    renamed = {value.name: name for value, name in zip(graph.output, names, strict=True) if value.name != name}
    taken = {name for node in graph.node for name in node.output} | {value.name for value in graph.input}
    renamed = {old: new for old, new in renamed.items() if new not in taken}
    for node in graph.node:
        for side in (node.input, node.output):
            for index, name in enumerate(side):
                side[index] = renamed.get(name, name)
    for value in graph.output:
        value.name = renamed.get(value.name, value.name)


def _choose(graph: Any, wanted: list[str]) -> None:
    known = {value.name: value for value in graph.output}
    missing = [name for name in wanted if name not in known]
    if missing:
        raise Refused(f"the model has no output {missing[0]!r}", hint=f"its outputs are: {', '.join(known)}")
    chosen = [onnx.ValueInfoProto.FromString(known[name].SerializeToString()) for name in wanted]
    del graph.output[:]
    graph.output.extend(chosen)


def _settle_inputs(graph: Any, options: dict[str, Any], dims: dict[str, int]) -> dict[str, int]:
    """Name the free dims, or fix them as the user says. Returns what those left free are in generated inputs."""
    known = [value.name for value in graph.input]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise Refused(f"the model has no input {unknown[0]!r}", hint=f"its inputs are: {', '.join(known)}")
    example_dims: dict[str, int] = {}
    for value in graph.input:
        shape = value.type.tensor_type.shape
        wanted = options.get(value.name, {}).get("shape")
        if wanted and len(wanted) != len(shape.dim):
            raise Refused(f"input {value.name!r} has {len(shape.dim)} dims, not {len(wanted)}")
        for axis, dim in enumerate(shape.dim):
            if dim.dim_value > 0:
                if wanted and str(wanted[axis]).isdigit() and int(wanted[axis]) != dim.dim_value:
                    raise Refused(f"dim {axis} of input {value.name!r} is {dim.dim_value} in the program")
                continue
            image = len(shape.dim) == 4 and axis in _IMAGE_DIMS
            name = ports.BATCH if axis == 0 else _IMAGE_DIMS[axis] if image else f"{value.name}_{axis}"
            if wanted and isinstance(wanted[axis], str) and wanted[axis].isidentifier():
                name = wanted[axis]
            size = wanted[axis] if wanted and str(wanted[axis]).isdigit() else dims.get(name)
            if size is not None:
                dim.dim_value = int(size)
                continue
            dim.dim_param = name
            if axis:
                example_dims[name] = IMAGE if image else OTHER
    return example_dims


def _infer_outputs(model: Any) -> None:
    """What paddle2onnx calls DynamicDimension is told apart by ONNX's own inference, or named after the output."""
    found = {value.name: value.type.tensor_type.shape for value in inferred(model).output}
    del model.graph.value_info[:]
    for value in model.graph.output:
        shape = value.type.tensor_type.shape
        better = found[value.name]
        if better.dim and len(better.dim) != len(shape.dim):
            shape.CopyFrom(better)
        for axis, dim in enumerate(shape.dim):
            known = better.dim[axis] if better.dim else None
            if known is not None and known.dim_value > 0:
                dim.dim_value = known.dim_value
            elif dim.dim_value <= 0:
                named = known.dim_param if known is not None and not known.dim_param.startswith("unk_") else ""
                dim.dim_param = named or f"{value.name}_{axis}"


def _port(value: Any) -> dict[str, Any]:
    kind = value.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    shape = [dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in kind.shape.dim]
    return ports.port(value.name, dtype, shape, value.name)

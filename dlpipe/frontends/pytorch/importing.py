"""source -> model.onnx and contract.json."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from dlpipe_worker import Refused, Request
from onnx import helper

from ..kit import emit, ports
from . import batch, canonical, exporting
from .opening import open_program
from .program import Program


def import_model(request: Request) -> dict[str, Any]:
    params, folder = request.params, request.inputs["source"]
    program = open_program(folder, params, request.note)
    request.progress("exporting")
    dims = dict(params.get("dims") or {})
    route = params["route"]
    model = _export(request, program, route, dims)
    if params.get("outputs"):
        canonical.keep_outputs(model, params["outputs"])
    emit.write(model, Path(request.out, "model.onnx"))
    names = {leaf.name for leaf in program.arguments.inputs}
    metadata = {
        "arguments": [
            {"name": leaf.name, "input": leaf.is_input, **({} if leaf.is_input else {"value": _plain(leaf.value)})}
            for leaf in program.arguments.leaves
        ],
        "states": [[state.name, f"{state.name}_out"] for state in program.states],
        "route": route,
    }
    ports.write_contract(
        request.out,
        [_port(each, names) for each in model.graph.input],
        [_port(each, set()) for each in model.graph.output],
        ports.read_labels(folder, params["entry"]),
        metadata,
    )
    return {"tool": f"torch {torch.__version__}", "route": route}


def _export(request: Request, program: Program, route: str, dims: dict[str, int]) -> Any:
    """With a free batch where original and export allow it."""
    recorded = any(leaf.free for leaf in program.arguments.inputs)
    against = "it is as the file records it" if program.kind == "exported" else batch.reason_against(program)
    if against is None and ports.BATCH in dims:
        for leaf in program.arguments.inputs:
            leaf.value = leaf.value.expand(dims[ports.BATCH], *leaf.value.shape[1:]).clone()
        against = "the user settled it"
    with tempfile.TemporaryDirectory(dir=request.out) as scratch:
        path = Path(scratch, "made.onnx")
        if against is None and route != "trace":
            try:
                model = _cleaned(program, route, path, free_batch=True)
                emit.write(model, path)
                against = batch.wrong(program, path)
                if against is None:
                    return model
            except Refused as error:
                against = f"with a free batch {error}"
        elif against is None:
            against = "a trace holds for one batch size"
        model = _cleaned(program, route, path, free_batch=False)
        if not recorded and program.kind != "exported" and ports.BATCH not in dims:
            request.note(f"the batch is fixed to {_size(program)}: {against}")
        canonical.set_dims(model, _recorded_dims(request, program, model, dims))
        canonical.infer_outputs(model)
    return model


def _cleaned(program: Program, route: str, path: Path, *, free_batch: bool) -> Any:
    model = exporting.export(program, route, path, free_batch=free_batch)
    canonical.clean(model, program.input_names, program.outputs)
    if free_batch:
        first = model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
        canonical.set_dims(model, {first: ports.BATCH})
    return model


def _recorded_dims(request: Request, program: Program, model: Any, dims: dict[str, int]) -> dict[str, int | str]:
    """What becomes of the free dims that an ExportedProgram records: a number where user or program need one."""
    chosen: dict[str, int | str] = {}
    leaves = {leaf.name: leaf for leaf in program.arguments.inputs}
    ones = [
        leaf.value.new_zeros([1 if axis in leaf.free else size for axis, size in enumerate(leaf.value.shape)])
        for leaf in program.arguments.inputs
    ]
    try:
        program.run(ones)
        small = True
    except Exception:  # noqa: BLE001 - the program's own guards, or a kernel that needs more
        small = False
    for each in model.graph.input:
        leaf = leaves.get(each.name)
        for axis, dim in enumerate(each.type.tensor_type.shape.dim):
            if not dim.dim_param or leaf is None or dim.dim_param in chosen:
                continue
            size, name = int(leaf.value.shape[axis]), leaf.free.get(axis)
            shown = ports.BATCH if axis == 0 else dim.dim_param
            if name is None:
                chosen[dim.dim_param] = size  # settled by hand
            elif shown in dims:
                chosen[dim.dim_param] = dims[shown]
            elif small:
                chosen[dim.dim_param] = shown
            else:
                chosen[dim.dim_param] = size
                request.note(f"the free dim {shown} of {each.name} is fixed to {size}: the program refuses 1")
    return chosen


def _size(program: Program) -> int:
    first = program.examples()[0]
    return int(first.shape[0]) if first.dim() else 1


def _port(value: Any, sources: set[str]) -> dict[str, Any]:
    tensor = value.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    shape = [dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in tensor.shape.dim]
    layout = "NCHW" if len(shape) == 4 and value.name in sources and dtype.startswith("float") else None
    return ports.port(value.name, dtype, shape, value.name, layout)


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)

"""source -> model.onnx and contract.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
from dlpipe_worker import Refused, Request
from onnx import helper

from ..kit import emit, ports
from . import by_jax2onnx, control, elementwise, indexing, linear, reducing, shaping  # noqa: F401 - they register their handlers
from .hlo import Value, Walker, type_of
from .program import Program, open_program


def import_model(request: Request) -> dict[str, Any]:
    params, folder = request.params, request.inputs["source"]
    program = open_program(folder, params)
    labels = ports.read_labels(folder, params["entry"])
    route = params["route"]
    if route == "stablehlo":
        _by_stablehlo(request, program, labels)
    else:
        model = by_jax2onnx.convert(request, program)
        emit.write(model, Path(request.out, "model.onnx"))
        inputs, outputs = ([_port(each) for each in side] for side in (model.graph.input, model.graph.output))
        ports.write_contract(request.out, inputs, outputs, labels, {"route": route})
    return {"tool": f"jax {jax.__version__}", "route": route}


def _by_stablehlo(request: Request, program: Program, labels: list[str]) -> None:
    """Our own translation of the program that JAX hands to its compiler, for one batch size."""
    from jax import export
    from jax._src.interpreters import mlir
    from jaxlib.mlir import ir

    try:
        lowered = export.export(jax.jit(program.call), platforms=["cpu"])(*program.structs())
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0]
        raise Refused(f"JAX cannot lower the function: {text[:300]}", kind="unsupported") from error
    request.note("the batch and all other dims are fixed: the program is translated for these shapes")
    graph = emit.Graph("model")
    with mlir.make_ir_context():
        module = ir.Module.parse(lowered.mlir_module())
        module = mlir.refine_polymorphic_shapes(module)  # what is polymorphic within follows from the fixed inputs
        functions = {str(each.attributes["sym_name"]).strip('"'): each.operation for each in module.body.operations}
        main = functions["main"].regions[0].blocks[0]
        used = list(lowered.module_kept_var_idx)
        walker = Walker(graph, functions)
        arguments = []
        for argument, index in zip(main.arguments, used, strict=True):
            shape, dtype = type_of(argument)
            name = program.inputs[index][0]
            arguments.append(Value(graph.input(name, dtype, shape, name), shape, dtype))
        results = walker.block(main, arguments)
        for name, value in zip(program.outputs, results, strict=True):
            graph.node("Identity", [walker.full(value)], name, name)
            graph.output(name, value.dtype, value.shape, name)
    graph.save(request.out, labels=labels, metadata={"route": "stablehlo"})


def _port(value: Any) -> dict[str, Any]:
    tensor = value.type.tensor_type
    dtype: np.dtype[Any] = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    shape = [dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in tensor.shape.dim]
    return ports.port(value.name, dtype.name, shape, value.name)

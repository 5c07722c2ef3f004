"""Programs -> ONNX, by the exporters that PyTorch has."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import torch
from dlpipe_worker import Refused

from . import batch
from .program import Program

DYNAMO_OPSET = 18
TORCHSCRIPT_OPSET = 17


def export(program: Program, route: str, path: Path, *, free_batch: bool) -> Any:
    """Write the model that `route` makes of the program. Returns it (a ModelProto). Raises Refused.

    free_batch: the first dim of every input and output becomes one name.
    """
    make: Callable[[Program, Path, bool], None] = {"dynamo": _dynamo, "trace": _trace, "torchscript": _torchscript}[
        route
    ]
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            make(program, path, free_batch)
    except Refused:
        raise
    except Exception as error:
        raise Refused(
            f"PyTorch's exporter ({route}) fails: {_reason(error)}", kind="unsupported", op=_op(error)
        ) from error
    return onnx.load(str(path))


def _dynamo(program: Program, path: Path, free_batch: bool) -> None:
    """torch.export, and the exporter that reads it."""
    if program.kind == "script":
        raise Refused("torch.export takes no TorchScript: the route `trace` does", kind="unsupported")
    exported = program.exported
    if exported is None:
        exported = _exported(program, program.examples(), free_batch)
    _write(exported, program, path)


def _trace(program: Program, path: Path, free_batch: bool) -> None:
    """What the program does operator by operator, for these shapes: branches and loops are followed as they are run.

    A branch that hangs on a value, not on a shape, makes the tracer stop. States become inputs and outputs.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    if free_batch:
        raise Refused("a trace holds for one batch size", kind="unsupported")
    # Without oneDNN a recurrent layer is seen as the operators that it is made of, not as one of oneDNN's own.
    with torch.jit.optimized_execution(False), torch.backends.mkldnn.flags(enabled=False):
        traced = {torch.ops.aten._convolution.default: _convolution}  # noqa: SLF001 - an operator's name
        graph = make_fx(program, traced)(*program.examples())
    _write(torch.export.export(graph, program.examples(), strict=False), program, path)


def _convolution(x: Any, weight: Any, bias: Any, *settings: Any) -> Any:
    """What torch.jit.trace writes for a convolution; the settings end with flags of the backend."""
    return torch.ops.aten.convolution.default(x, weight, bias, *settings[:6])


def _torchscript(program: Program, path: Path, free_batch: bool) -> None:
    """The older exporter. A TorchScript program keeps its control flow; a module is traced first."""
    if program.states:
        raise Refused("this exporter would lose what the program keeps from call to call", kind="unsupported")
    program.run(program.examples())  # names the outputs
    examples = batch.doubled(program.examples()) if free_batch else program.examples()
    model: Any = program
    if program.kind == "script":  # as it is: this exporter sees no script within a module
        model = program.model
        if len(program.arguments.inputs) < len(program.arguments.leaves):
            raise Refused("this exporter would make inputs of the numbers that the program takes", kind="unsupported")
    axes = {name: {0: "N"} for name in (*program.input_names, *program.outputs)} if free_batch else None
    torch.onnx.export(
        model,
        examples,
        str(path),
        dynamo=False,
        opset_version=TORCHSCRIPT_OPSET,
        input_names=program.input_names,
        output_names=program.outputs,
        dynamic_axes=axes,
    )


def _exported(program: Program, examples: tuple[torch.Tensor, ...], free_batch: bool) -> Any:
    if not free_batch:
        return torch.export.export(program, examples, strict=False)
    size = torch.export.Dim("N")
    shapes = (tuple({0: size} for _ in examples),)
    return torch.export.export(program, batch.doubled(examples), dynamic_shapes=shapes, strict=False)


def _write(exported: Any, program: Program, path: Path) -> None:
    program.run(program.examples())  # names the outputs
    made = torch.onnx.export(exported, (), dynamo=True, opset_version=DYNAMO_OPSET, verbose=False)
    made.save(str(path), include_initializers=True, external_data=False)


def _reason(error: BaseException) -> str:
    """The innermost cause: the exporter wraps it in advice."""
    while error.__cause__ is not None and not isinstance(error.__cause__, KeyboardInterrupt):
        error = error.__cause__
    lines = [
        line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith(("While ", "==="))
    ]
    return f"{type(error).__name__}: {(lines or [''])[0][:300]}"


def _op(error: BaseException) -> str | None:
    import re

    found = re.search(r"\b(aten::\w+|prim::\w+|torchvision::\w+|aten\.\w+\.\w+)", f"{error} {_reason(error)}")
    return found[1] if found else None

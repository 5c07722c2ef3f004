"""Which operators a model has, each under a key that is the same in every model, process and run."""

from typing import Any

import tvm
import tvm_ffi
from tvm import relax
from tvm.s_tir.meta_schedule.arg_info import ArgInfo

Shaped = tuple[tuple[int, ...], str]  # shape and dtype of a tensor


def key(function: tvm.tirx.PrimFunc) -> str:
    """A hash of the loops and what they compute, whatever the names, and the tensors they are called with."""
    number = tvm_ffi.structural_hash(function.without_attr("global_symbol")) & (2**64 - 1)
    tensors = "_".join("x".join(map(str, shape)) + dtype for shape, dtype in tensors_of(function))
    return f"{number:016x}:{tensors}"


def tensors_of(function: tvm.tirx.PrimFunc) -> list[Shaped]:
    """Inputs and outputs, in the order of the parameters; a free dim is 0."""
    module = tvm.IRModule({"main": function.with_attr("global_symbol", "main")})
    found = ArgInfo.from_entry_func(module, remove_preproc=False)
    return [(tuple(dim if isinstance(dim, int) else 0 for dim in each.shape), str(each.dtype)) for each in found]


def operators(module: tvm.IRModule) -> dict[str, dict[str, Any]]:
    """Of what `scheduling.loops` made: key -> {"name", "count": how often one run of the model calls it}."""
    calls: dict[str, int] = {}

    def visit(expression: Any) -> None:
        called = isinstance(expression, relax.Call) and isinstance(expression.op, tvm.ir.Op)
        if called and expression.op.name.startswith("relax.call_tir"):
            name = str(expression.args[0].name_hint)
            calls[name] = calls.get(name, 0) + 1

    for _, function in module.functions_items():
        if isinstance(function, relax.Function):
            relax.analysis.post_order_visit(function, visit)
    found: dict[str, dict[str, Any]] = {}
    for variable, function in module.functions_items():
        if isinstance(function, tvm.tirx.PrimFunc):
            name = str(variable.name_hint)
            entry = found.setdefault(key(function), {"name": name, "count": 0})
            entry["count"] += calls.get(name, 0)
    return found

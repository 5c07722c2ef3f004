"""A program of `torch.export` -> .pte, with all that XNNPACK takes given to it."""

import contextlib
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any

from dlpipe_worker import Refused
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
from executorch.exir.lowered_backend_module import get_lowered_backend_modules

_XNNPACK = "XnnpackBackend"


@dataclass(frozen=True, slots=True)
class Lowered:
    """`pte`: the file. `xnnpack`: operators in it that XNNPACK computes. `kernels`: name of each of ExecuTorch's own
    kernels that it calls -> how often."""

    pte: bytes
    xnnpack: int
    kernels: dict[str, int]


def lower(exported: Any) -> Lowered:
    """Raises Refused, with the operator's name, for what ExecuTorch has no kernel for."""
    logging.getLogger("executorch").setLevel(logging.ERROR)
    try:
        edge = to_edge_transform_and_lower(
            exported, partitioner=[XnnpackPartitioner()], compile_config=EdgeCompileConfig(_check_ir_validity=False)
        )
        program = edge.to_executorch()
    except RuntimeError as error:
        if "Missing out variants" not in str(error):
            raise
        raise Refused(f"ExecuTorch has no kernel: {str(error).splitlines()[0]}", kind="unsupported") from error
    plan = program.executorch_program.execution_plan[0]
    others = {each.id for each in plan.delegates} - {_XNNPACK}
    assert not others, others
    calls = [instruction.instr_args for chain in plan.chains for instruction in chain.instructions or ()]
    used = Counter(_name(plan.operators[call.op_index]) for call in calls if hasattr(call, "op_index"))
    return Lowered(program.buffer, _delegated(edge.exported_program()), dict(sorted(used.items())))


def _delegated(program: Any) -> int:
    """Operators in the parts made for XNNPACK, without those that only say how a value is quantised."""
    parts = get_lowered_backend_modules(program.graph_module)
    nodes = (node for part in parts for node in part.original_module.graph.nodes if node.op == "call_function")
    return sum("quantize_per" not in str(node.target) and "getitem" not in str(node.target) for node in nodes)


def missing(lowered: Lowered) -> list[str]:
    """Kernels that the runtime of this package does not have."""
    with contextlib.redirect_stderr(None):
        from executorch.extension.pybindings.portable_lib import _get_operator_names
        from executorch.kernels import quantized  # noqa: F401 - its kernels enter themselves
    return sorted(set(lowered.kernels) - set(_get_operator_names()))


def _name(operator: Any) -> str:
    return f"{operator.name}.{operator.overload}" if operator.overload else str(operator.name)

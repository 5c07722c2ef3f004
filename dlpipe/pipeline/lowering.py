"""What a backend wants done to the IR before it compiles it: exact passes, each a stage that is checked like any."""

from __future__ import annotations

from dlpipe.contracts.backend import Backend
from dlpipe.passes.registry import pass_call
from dlpipe.pipeline.checks import check_ir
from dlpipe.pipeline.samples import Samples
from dlpipe.pipeline.stage import Outcome, Stage


def lower(
    tool: Backend, precision: str, samples: Samples, *, ir: str, described: Outcome
) -> tuple[str, tuple[Stage, ...]]:
    """Returns (id of the stage that holds the IR to compile: `ir` itself where the backend takes it, the stages to
    execute). `described` is the outcome of describing `ir`.

    The ids say what was done, `fp32+unroll+clean`, so that backends that want the same of the same IR share stages.
    """
    if described.status != "ok":
        return ir, ()
    made = precision if precision == "fp32" else ir
    stages: list[Stage] = []
    for name in tool.lowering(described.value):
        made = f"{made}+{name}"
        stages += [
            Stage(made, "pass", pass_call(name), {"ir": ir}, required=False),
            *check_ir(made, precision, samples),
        ]
        ir = made
    return ir, tuple(stages)

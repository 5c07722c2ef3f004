"""A long training as a chain of stages: each part takes over the state of the one before it and hands on its own.

The store keeps what each part made, as it does with any stage. So a run that is killed goes on behind the last part
that was finished, on whatever machine, without a folder of checkpoints beside the store that would have to be looked
after.
"""

from __future__ import annotations

from dataclasses import replace

from dlpipe.passes.registry import pass_parts
from dlpipe.pipeline.stage import Stage


def in_parts(stage: Stage) -> list[Stage]:
    """The stages that stand for that of a pass; the last one has its id and makes its output."""
    name = str(stage.call.params["pass"])
    *before, whole = pass_parts(name, stage.call)
    stages: list[Stage] = []
    for number, call in enumerate(before, 1):
        inputs = {**stage.inputs, **({"state": stages[-1].id} if stages else {})}
        stages.append(replace(stage, id=f"{stage.id}@{number}", kind="data", call=call, inputs=inputs))
    inputs = {**stage.inputs, **({"state": stages[-1].id} if stages else {})}
    return [*stages, replace(stage, call=whole, inputs=inputs)]

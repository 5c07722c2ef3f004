"""What a backend cannot do with a model on a target, known before any time is spent: by node, and what would help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dlpipe.contracts.backend import Backend, Refusal, Target
from dlpipe.ir.calls import describe_call
from dlpipe.pipeline.imported import import_opened, sniff
from dlpipe.pipeline.lowering import lowering_stages
from dlpipe.pipeline.optimise import pass_chain
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.targets.registry import BACKENDS


def refusals(tool: Backend, target: Target, variant: str, model: Mapping[str, Any]) -> tuple[Refusal, ...]:
    """`model` is what the describe operation says of the IR. Nodes have the names of the original's layers wherever the
    frontend keeps them."""
    if target.kind != "cpu" and tool.name in BACKENDS and tool.name not in target.backends:
        hint = f"its backends: {', '.join(target.backends)}"
        return (Refusal(f"{tool.name} makes nothing for {target.name}", hint=hint),)
    return tuple(_located(each, model) for each in tool.refusals(target, variant, model))


def _located(refusal: Refusal, model: Mapping[str, Any]) -> Refusal:
    if refusal.node is not None or refusal.op is None:
        return replace(refusal, nodes=(refusal.node,) if refusal.node else ())
    nodes = [str(each["name"]) for each in model.get("nodes", ()) if each["op"] == refusal.op and each["name"]]
    return replace(refusal, nodes=tuple(nodes))


class Preflight:
    """The optimised IR of a model, compared with nothing yet: what backends say of it is known in seconds.

    Raises what the import raises.
    """

    def __init__(self, session: Session, request: ConvertRequest) -> None:
        self._executor = session.executor
        opened = sniff(session, request.model, factory=request.options.factory)
        start = import_opened(session, opened, request.options).ir
        passes = pass_chain(start)
        outcomes = self._executor.run(passes)
        # As convert does it, a pass that fails is left out; here what came before it will do.
        made = [each.id for each in passes if outcomes[each.id].status == "ok"]
        self._ir = made[-1] if made else start
        self._model = self._described(self._ir)

    def model(self, tool: Backend) -> Mapping[str, Any] | Refusal:
        """What the describe operation says of the fp32 IR, with the passes applied that the backend asks for; or why
        one of them fails."""
        stages = lowering_stages(tool, self._model, ir=self._ir, made=f"preflight:{tool.name}")
        outcomes = self._executor.run(stages)
        for stage in stages:
            if outcomes[stage.id].status != "ok":
                return Refusal(f"{stage.call.params.get('pass', stage.id)}: {outcomes[stage.id].reason}")
        return self._described(stages[-1].id) if stages else self._model

    def _described(self, ir: str) -> Mapping[str, Any]:
        stage = Stage(f"describe:{ir}", "measure", describe_call(), {"ir": ir})
        value: Mapping[str, Any] = self._executor.run([stage])[stage.id].value
        return value

"""What a backend provides that can search, on the target itself, for faster code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from dlpipe.contracts.backend import Target
from dlpipe.contracts.call import Call


@runtime_checkable
class Tunable(Protocol):
    """The search is for operators, not for models: what was found for one serves every model that has it.

    - workloads_call: ir -> value {key of an operator: {"name", "count": how often a run of the model has it}}
    - tune_call: ir, records -> `records.json`, what a round found out, key -> entry: "spent" (seconds), "tried",
      "rule_seconds" (of the code without tuning), "found" ([seconds, trace], the fastest first), and where a new one
      leads: "chosen" (a trace) and "ratio" (its time by that of the untuned code, by turns). Records has what is known
      of these operators before. Value: {"finished": whether `budget`, the seconds of all rounds together, is used up}.

    compile_call then takes a further input `records`: `chosen.json`, key -> trace.
    """

    def why_not_tuned(self, target: Target) -> str | None:
        """What a search for that target would need which is not here; None where it can be done."""

    def tuned_for(self, target: Target) -> Mapping[str, Any]:
        """The tool with its version and what it is told of the target: records hold for just that."""

    def workloads_call(self, target: Target, variant: str) -> Call: ...

    def tune_call(self, target: Target, variant: str, *, budget: float, seconds: float) -> Call:
        """One round of `seconds`. Whoever makes a stage of it adds parameters: "number" (of the round), "model" (which
        ir it is: the worker keeps that from round to round) and "processor"."""

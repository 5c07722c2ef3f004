"""From the outcomes of a run to the stages and artefacts of its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Accuracy, Fidelity
from dlpipe.pipeline import report_costs as costs
from dlpipe.pipeline.artifacts import Candidate
from dlpipe.pipeline.samples import Samples
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Outcome
from dlpipe.pipeline.stage import Stage as PipelineStage
from dlpipe.pipeline.store import Record
from dlpipe.pipeline.structure import structure
from dlpipe.report.schema import Artifact, DepartsAt, Note, Part, Refusal, Stage
from dlpipe.toolchains.agent.farm import is_farm

MAX_CHANGES = 12
OWN_REFERENCE = "it agrees with dlpipe's own reference interpreter only: no other implementation of the format ran here"
EMULATED = "emulated: no speed is claimed from an emulator"

Timings = Mapping[str, Any]  # name -> what measure.timing found


class Assembler:
    """Reads the outcomes of one session. `timings` maps the digest of a model's folder to its timing,
    `untimed` to why it has none."""

    def __init__(
        self,
        session: Session,
        samples: Samples | None,
        timings: Timings,
        dropped: Mapping[str, str],
        departs_at: Mapping[str, DepartsAt] = MappingProxyType({}),
        untimed: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._session = session
        self._outcomes = session.executor.outcomes
        self._samples = samples
        self._timings = timings
        self._untimed = untimed
        self._dropped = dropped
        self._departs_at = departs_at

    def stages(self) -> list[Stage]:
        """The stages that make something; runs and comparisons show as the figures of what they measured."""
        made = [each for each in self._outcomes.values() if each.stage.kind in ("import", "pass", "compile")]
        first, *others = [self._stage(each) for each in made if not each.stage.id.startswith("sniff")]
        samples = [self._stage(self._outcomes["samples"])] if "samples" in self._outcomes else []
        return [first, *samples, *self._reference(), *others]

    def _reference(self) -> list[Stage]:
        outcome = self._outcomes.get("reference")
        if outcome is None:
            return []
        stage = self._stage(outcome, kind="reference")
        accuracy = self._value("accuracy:reference")
        cost = costs.latency(self._timings.get("original"))
        return [
            stage.model_copy(
                update={
                    "accuracy": Accuracy.model_validate(accuracy) if accuracy else None,
                    "accuracy_reason": None if accuracy else self._no_accuracy(),
                    "cost": cost,
                }
            )
        ]

    def _stage(self, outcome: Outcome, *, kind: str | None = None) -> Stage:
        stage, record = outcome.stage, outcome.record
        tools = record.tools if record else {}
        value = outcome.value if isinstance(outcome.value, Mapping) else {}
        tool, _, version = str(value.get("tool") or stage.call.toolchain).partition(" ")
        reason = outcome.reason or (f"left out: {self._dropped[stage.id]}" if stage.id in self._dropped else None)
        if reason is None and stage.id in self._departs_at:
            reason = f"departs from the original{self._where(stage.id)}"
        parts = dict(record.parts) if record else {}
        blocks: dict[str, Any] = {}
        described = self._value(f"describe:{stage.id}")
        if stage.kind in ("import", "pass"):
            blocks = self._blocks(stage.id)
            blocks["cost"] = costs.latency(self._timing(outcome)) | costs.static(described)
            blocks["speedups"] = costs.speedups(self._timing(outcome), self._session.machine)
        return Stage(
            id=stage.id,
            kind=kind or stage.kind,
            tool=tool,
            tool_version=version or tools.get(tool),
            toolchain=self._session.toolchains.digest(stage.call.toolchain),
            stage_class=stage.call.stage_class,
            status="failed" if stage.id in self._dropped else outcome.status,
            reason=reason,
            cache=outcome.cache if outcome.status == "ok" else None,
            seconds=record.seconds if record else None,
            inputs=tuple(parts.get("inputs", {}).values()),
            output=record.output if record else None,
            structure=structure(described) if stage.kind == "import" and described else None,
            after=_shown(stage),
            notes=(*_notes(record), *_changes(value)),
            changes={key: value[key] for key in ("nodes_before", "nodes_after", "modified") if key in value},
            **blocks,
        )

    def _blocks(self, stage: str) -> dict[str, Any]:
        fidelity, accuracy = self._value(f"fidelity:{stage}"), self._value(f"accuracy:{stage}")
        return {
            "fidelity": Fidelity.model_validate({"vs": self._kind(), **fidelity}) if fidelity else None,
            "fidelity_reason": None if fidelity else self._why_not(f"fidelity:{stage}"),
            "departs_at": self._departs_at.get(stage),
            "accuracy": Accuracy.model_validate(accuracy) if accuracy else None,
            "accuracy_reason": None if accuracy else self._no_accuracy() or self._why_not(f"accuracy:{stage}"),
        }

    def _kind(self) -> str:
        return self._samples.kind if self._samples is not None else "original"

    def _no_accuracy(self) -> str | None:
        if self._samples is None:
            return "no labelled data was given (--data): accuracy is unknown"
        return None if self._samples.labelled else self._samples.unknown

    def _why_not(self, stage: str) -> str:
        outcome = self._outcomes.get(stage)
        return outcome.reason or "not measured" if outcome else "not measured"

    def _value(self, stage: str) -> Any:
        outcome = self._outcomes.get(stage)
        return outcome.value if outcome is not None and outcome.status == "ok" else None

    def _timing(self, outcome: Outcome) -> Any:
        return self._timings.get(outcome.record.output) if outcome.record and outcome.record.output else None

    def artifact(self, candidate: Candidate) -> Artifact:
        compiled, shipped = self._outcomes.get(candidate.id), self._outcomes.get(candidate.shipped)
        ran = self._outcomes.get(f"run:{candidate.id}")
        common: dict[str, Any] = {
            "target": candidate.target.name,
            "backend": candidate.backend.name,
            "variant": candidate.name,
            "path": candidate.path,
        }
        if compiled is None or shipped is None or shipped.status != "ok":
            refused = "; ".join(map(str, candidate.refusals))
            why_not = refused or candidate.missing or (shipped.reason if shipped else None) or "not compiled"
            return Artifact(
                **common,
                ran_on="none",
                refusals=tuple(Refusal.model_validate(asdict(each)) for each in candidate.refusals),
                verdict="unverified" if refused else "failed",
                provenance="absent",
                reason=("ruled out by pre-flight: " if refused else "") + why_not,
                fidelity_reason="there is no artefact",
                accuracy_reason="there is no artefact",
            )
        tree = self._session.store.tree(shipped.output)
        size = sum(file.size for file in tree.files)
        verdict, reason = self._verdict(candidate, ran)
        value = ran.value if ran is not None and ran.status == "ok" else {}
        ran_on = value.get("ran_on", "none")
        real = ran_on == "native" or ran_on.startswith("device:")
        timing = self._timings.get(shipped.output) if real else None
        blocks = self._blocks(candidate.id)
        if blocks["accuracy"] is not None and not real:
            blocks["accuracy"] = blocks["accuracy"].model_copy(update={"provenance": "emulated"})
        cost = costs.estimates(compiled.value or {}) | costs.estimates(value)
        cost["size"] = Figure(value=size, unit="bytes", provenance="measured")
        code = self._value(f"isa:{candidate.id}")
        cost |= costs.isa(code)
        emulated = EMULATED if value else "it was not executed"
        in_parts = "one of its parts has no speed here" if candidate.parts else None
        absent = self._untimed.get(shipped.output) or in_parts
        cost |= costs.latency(timing, absent=absent if real else emulated)
        return Artifact(
            **common,
            digest=shipped.output,
            size_bytes=size,
            ran_on=ran_on,
            verdict=verdict,
            provenance="absent" if not value else "measured" if real else "emulated",
            reason=reason,
            cost=cost,
            speedups=costs.speedups(timing, self._session.machine),
            files={file.name: file.size for file in tree.files},
            isa=tuple(code["isa"]) if code else None,
            parts=tuple(
                Part(backend=each.backend.name, variant=each.variant, nodes=each.nodes) for each in candidate.parts
            ),
            notes=(*_notes(compiled.record), *_boards(value, timing)),
            after=(candidate.id,),
            **blocks,
        )

    def _where(self, stage: str) -> str:
        return f"; {self._departs_at[stage].said}" if stage in self._departs_at else ""

    def _verdict(self, candidate: Candidate, ran: Outcome | None) -> tuple[Any, str | None]:
        code = self._outcomes.get(f"isa:{candidate.id}")
        if code is not None and code.status != "ok":
            return "failed", code.reason
        if ran is None:
            compiled = self._outcomes[candidate.id].value or {}
            return "unverified", compiled.get("not_executed") or f"nothing here can execute {candidate.target.name}"
        if ran.status != "ok":
            return "failed", f"it did not run: {ran.reason}"
        fidelity = self._value(f"fidelity:{candidate.id}")
        if fidelity is None:
            return "failed", f"its outputs could not be compared: {self._why_not(f'fidelity:{candidate.id}')}"
        if fidelity["passed"] is None:
            return "unverified", fidelity["reason"]
        if not fidelity["passed"]:
            return "failed", f"ran, but wrong: {fidelity['reason']}{self._where(candidate.id)}"
        return ("unverified", OWN_REFERENCE) if self._kind() == "own" else ("passed", None)


def _shown(stage: PipelineStage) -> tuple[str, ...]:
    """The stages of the report that it comes after: a subset of the samples counts as the samples."""
    refs = {"samples" if ref.startswith("samples:") else ref for ref in stage.depends_on()}
    return tuple(sorted(refs))


def _notes(record: Record | None) -> tuple[Note, ...]:
    return tuple(Note(**note) for note in record.notes) if record else ()


def _boards(ran: Mapping[str, Any], timing: Mapping[str, Any] | None) -> list[Note]:
    """Which boards of a farm the figures are of: those of one kind need not be the same one."""
    found = []
    if "fingerprint" in ran:
        found.append(f"its outputs are of the {ran['ran_on'].replace(':', ' ')}, machine {ran['fingerprint']}")
    if is_farm(board := timing.get("board") if timing else None):
        name, _, fingerprint = str(board).removeprefix("farm:").partition("#")
        found.append(f"its times are of the device {name}, machine {fingerprint}")
    return [Note(message=each) for each in found]


def _changes(value: Mapping[str, Any]) -> list[Note]:
    """What a pass says it did, node by node; the first of them."""
    said = list(value.get("changes") or ())
    more = [f"and {len(said) - MAX_CHANGES} more changes"] if len(said) > MAX_CHANGES else []
    return [Note(message=str(each)) for each in [*said[:MAX_CHANGES], *more]]

"""What is wrong with a run as SARIF 2.1.0, which code-scanning pages show: findings at the nodes of the model.

A model has no lines, so a finding's place is the model's file, and the node, output or stage as a logical location.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from typing import Any
from urllib.parse import quote

from dlpipe.contracts.json import digest
from dlpipe.report import summary, words
from dlpipe.report.schema import Artifact, Measured, Note, Report

MAX_NODES = 100  # of one finding

# level of a finding, and what it is
_RULES = {
    "stage-failed": ("error", "A stage failed, or its result was left out because it breaks the model."),
    "preflight-refused": ("warning", "A backend cannot do this with the model; known before anything was compiled."),
    "artefact-failed": ("error", "An artefact was not made, did not run, or gives other answers than the original."),
    "artefact-unverified": ("note", "An artefact could not be run or compared here."),
    "gate": ("error", "A limit is broken."),
    "gate-open": ("none", "A limit could not be evaluated."),
    "warning": ("warning", "Something that the user should know."),
}


@dataclass(frozen=True, slots=True)
class _Finding:
    rule: str
    subject: str  # what it is about, so that the next run's same finding is known again
    message: str
    places: Sequence[tuple[str, str]] = ()  # kind and name of each logical location
    properties: dict[str, Any] | None = None


def render_sarif(report: Report) -> str:
    """One run; the same report gives the same bytes."""
    file = _uri(report.source.path)
    results = [_result(each, file) for each in _findings(report)]
    driver = {
        "name": "dlpipe",
        "semanticVersion": report.dlpipe_version,
        "rules": [
            {"id": name, "shortDescription": {"text": text}, "defaultConfiguration": {"level": level}}
            for name, (level, text) in _RULES.items()
        ],
    }
    failed = summary.headline(report).state == "failed"
    invocation: dict[str, Any] = {"executionSuccessful": not failed, "startTimeUtc": _time(report)}
    if report.command:
        invocation["commandLine"] = words.plain(report.command)
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"dlpipe/{quote(summary.model(report))}/{report.run}"},
        "artifacts": [{"location": {"uri": file}, "hashes": {"sha-256": report.source.sha256}}],
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _findings(report: Report) -> Iterator[_Finding]:
    shown = {id_ for each in report.artifacts for id_ in each.after}  # a failed compilation is its artefact's finding
    for stage in report.stages:
        if stage.status == "failed" and stage.id not in shown:
            places = [*_departing(stage), *_named(stage.notes), ("stage", stage.id)]
            yield _Finding("stage-failed", stage.id, f"{stage.id}: {stage.reason or 'failed'}", places)
        for note in stage.notes:
            if note.level != "info":
                yield _Finding(
                    "warning", f"{stage.id}: {note.message}", note.message, [*_named([note]), ("stage", stage.id)]
                )
    for artifact in report.artifacts:
        yield from _of_artifact(artifact)
    for gate in report.gates:
        if gate.passed is True or gate.name == "fidelity":  # which its artefact's finding says
            continue
        rule = "gate" if gate.passed is False else "gate-open"
        text = f"{gate.name} of {gate.subject}: {summary.gate(gate)}"
        yield _Finding(rule, f"{gate.name}: {gate.subject}", text, [("artefact", gate.subject)])
    for note in report.notes:
        if note.level != "info":
            yield _Finding("warning", note.message, note.message, _named([note]))


def _of_artifact(artifact: Artifact) -> Iterator[_Finding]:
    about = {"target": artifact.target, "backend": artifact.backend, "variant": artifact.variant}
    whole = ("artefact", artifact.path)
    for refusal in artifact.refusals:
        nodes = [("node", name) for name in dict.fromkeys((*refusal.nodes, *filter(None, [refusal.node])))]
        more = f" ({len(nodes)} nodes, the first {MAX_NODES} are named)" if len(nodes) > MAX_NODES else ""
        hint = f" {refusal.hint}" if refusal.hint else ""
        text = f"{artifact.backend} {artifact.variant} for {artifact.target}: {refusal.reason}{more}.{hint}"
        subject = f"{artifact.path}: {refusal.reason}"
        op = {"op": refusal.op} if refusal.op else {}
        yield _Finding("preflight-refused", subject, text, [*nodes[:MAX_NODES], whole], about | op)
    if artifact.refusals or artifact.verdict == "passed":
        return
    outputs = artifact.fidelity.outputs if artifact.fidelity else {}
    places = [("output", name) for name, found in outputs.items() if found.passed is False]
    rule = "artefact-failed" if artifact.verdict == "failed" else "artefact-unverified"
    text = f"{summary.name(artifact)} for {artifact.target}: {artifact.reason or artifact.verdict}"
    found = [*_departing(artifact), *_named(artifact.notes), *places, whole]
    yield _Finding(rule, artifact.path, text, found, about | _bisected(artifact))


def _departing(block: Measured) -> list[tuple[str, str]]:
    """The node at which bisecting found that it departs from the original."""
    return [("node", block.departs_at.node)] if block.departs_at and block.departs_at.node else []


def _bisected(block: Measured) -> dict[str, Any]:
    """What bisecting says of the node, and the command that looks closer."""
    found = (
        block.departs_at.model_dump(include={"verdict", "op", "reference_node", "command"}) if block.departs_at else {}
    )
    return {name: value for name, value in found.items() if value is not None}


def _named(notes: Iterable[Note]) -> list[tuple[str, str]]:
    """The nodes that notes are about."""
    return [("node", str(each.where["node"])) for each in notes if each.where.get("node")]


def _result(finding: _Finding, file: str) -> dict[str, Any]:
    level = _RULES[finding.rule][0]
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": file, "index": 0}}}
    if finding.places:
        location["logicalLocations"] = [
            {"name": words.plain(name), "fullyQualifiedName": f"{kind}/{words.plain(name)}", "kind": kind}
            for kind, name in finding.places
        ]
    result = {
        "ruleId": finding.rule,
        "ruleIndex": list(_RULES).index(finding.rule),
        "kind": "open" if level == "none" else "fail",
        "level": level,
        "message": {"text": words.plain(finding.message)},
        "locations": [location],
        "partialFingerprints": {"dlpipe/v1": digest([finding.rule, words.plain(finding.subject)])},
    }
    return result | ({"properties": finding.properties} if finding.properties else {})


def _uri(path: str) -> str:
    """Relative as it was given, so that a repository's own files are found; an absolute one as file://."""
    pure = PurePath(words.plain(path))
    return pure.as_uri() if pure.is_absolute() else quote(PurePosixPath(pure.as_posix()).as_posix())


def _time(report: Report) -> str:
    return report.created.isoformat(timespec="seconds").replace("+00:00", "Z")

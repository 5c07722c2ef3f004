"""`MODEL_CARD.md`: what the package is, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlpipe.package.described import Described, figures, limitations, reference, shape

_UNKNOWN = "Not known to dlpipe: what the model is meant for, and what it was trained on. Ask whoever trained it."


def card(package: Described) -> str:
    """Markdown. Says only what was measured, and of every figure how."""
    return "\n".join(_lines(package)) + "\n"


def _lines(package: Described) -> Iterator[str]:
    report = package.report
    source = report["source"]
    yield f"# {_text(package.name)}"
    yield ""
    yield f"Made by dlpipe {report['dlpipe_version']} on {report['created']} (run {report['run']}) from a model in the"
    yield f"format {source['format']}, SHA-256 `{source['sha256']}`."
    if package.encrypted:
        yield ""
        yield "The weights are encrypted: `load_encrypted.py` decrypts them into memory, with a key of yours."
    yield ""
    yield "## Intended use"
    yield ""
    yield _UNKNOWN
    yield ""
    yield "## Inputs and outputs"
    yield ""
    for kind in ("inputs", "outputs"):
        yield from (f"- {kind[:-1]} `{_text(port['name'])}`: {shape(port)}" for port in source[kind])
    yield from (f"- before that: {_text(line)}" for line in source["preprocessing"])
    yield ""
    yield "## Evaluation"
    yield ""
    samples = report.get("samples")
    fed = f"{samples['count']} samples ({samples['labelled']} labelled)" if samples else "no samples"
    yield f"Fed with {fed}; compared with {reference(report)}."
    for artifact in package.artifacts:
        yield from _artifact(package, artifact)
    yield ""
    yield "## Where it comes from"
    yield ""
    yield "`provenance.json` (in-toto, SLSA) names what it was made of, `bom.cdx.json` (CycloneDX) all parts."
    yield "`model.sig` signs every file: check it with `dlpipe package verify`, or `model_signing verify key`."


def _artifact(package: Described, artifact: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"### {artifact['target']}: {artifact['backend']}, {artifact['variant']}"
    yield ""
    where = "" if artifact["path"] == "." else f" In `{artifact['path']}`."
    yield f"Verdict: **{artifact['verdict']}**; ran: {artifact['ran_on']}.{where}"
    if artifact["path"] in package.runtimes:
        yield f"Needs {' '.join(package.runtimes[artifact['path']])}."
    yield ""
    yield "| figure | value | unit | |"
    yield "|---|---|---|---|"
    for name, value, unit, provenance in figures(artifact):
        shown = f"{value:.6g}" if isinstance(value, float) else value
        yield f"| {_text(name)} | {shown} | {unit} | {provenance} |"
    for limit in limitations(artifact):
        yield f"\nLimit: {_text(limit)}"


def _text(word: object) -> str:
    """Names come from the model's file: they must not become markup or break the table."""
    return "".join(c if c.isprintable() else " " for c in str(word)).translate(_ESCAPES)


_ESCAPES = {ord(c): f"\\{c}" for c in "\\`*[]<>|"}

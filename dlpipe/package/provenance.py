"""`provenance.json`: an in-toto statement that says how the files of a package were made, as SLSA describes builds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dlpipe.package.signature import STATEMENT

PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:dlpipe:convert:1"
BUILDER = "urn:dlpipe:builder:local"
# Of a folder in dlpipe's store, and of a toolchain's lock: neither is the SHA-256 of one file, so they are named.
TREE, LOCK = "dlpipeTree", "dlpipeLock"

Report = Mapping[str, Any]  # what report.json says


def statement(report: Report, files: Mapping[str, str], encrypted: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """files: name -> SHA-256 of what it speaks of. encrypted: what `encrypted.json` says, where the files are."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in files.items()],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": _given(report),
                "internalParameters": {"stages": [_stage(each) for each in _done(report)]},
                "resolvedDependencies": list(_needed(report)),
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"dlpipe": report["dlpipe_version"]}},
                "metadata": {"invocationId": report["run"], "startedOn": report["created"]},
                "byproducts": [*_made(report), *_encryption(encrypted)],
            },
        },
    }


def _given(report: Report) -> dict[str, Any]:
    source, samples = report["source"], report.get("samples") or {}
    given = {
        "command": report.get("command"),
        "model": {key: source.get(key) for key in ("framework", "format", "version")},
        "data": samples.get("source"),
        "seed": samples.get("seed"),
        "targets": sorted({each["target"] for each in report["artifacts"]}),
    }
    return {key: value for key, value in given.items() if value is not None}


def _done(report: Report) -> list[Mapping[str, Any]]:
    return [each for each in report["stages"] if each["status"] == "ok"]


def _stage(stage: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("id", "kind", "tool", "tool_version", "toolchain", "class", "inputs", "output")
    return {key: stage[key] for key in kept if stage.get(key) is not None}


def _needed(report: Report) -> Iterable[dict[str, Any]]:
    """The model and the data that were given, and the toolchains of the stages."""
    source, samples = report["source"], report.get("samples") or {}
    yield {"name": "model", "digest": {"sha256": source["sha256"]}}
    if samples.get("digest"):
        yield {"name": "samples", "digest": {TREE: samples["digest"]}}
    environment, used = report.get("environment") or {}, {each.get("toolchain") for each in _done(report)}
    for name, digest in sorted((environment.get("toolchains") or {}).items()):
        if digest in used:
            yield {"name": f"toolchain {name}", "digest": {LOCK: digest}}


def _made(report: Report) -> Iterable[dict[str, Any]]:
    for each in report["artifacts"]:
        if each.get("digest"):
            note = {"verdict": each["verdict"], "ran_on": each["ran_on"]}
            yield {"name": each["path"], "digest": {TREE: each["digest"]}, "annotations": note}


def _encryption(encrypted: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
    if encrypted is not None:
        yield {"name": "before encryption", "digest": {TREE: encrypted["artifact"]}}

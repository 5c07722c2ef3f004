"""What the documents about a package take from its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Described:
    """A package and what is known of it. `report`: what report.json says of this package's artefacts and the stages
    that led to them; `runtimes`: path of an artefact -> (name, version) of what it needs to run. `encrypted`: what
    encrypted.json says, where the weights are encrypted."""

    name: str
    report: Mapping[str, Any]
    runtimes: Mapping[str, tuple[str, str]]
    encrypted: Mapping[str, Any] | None = None

    @property
    def artifacts(self) -> list[Mapping[str, Any]]:
        """Those that were made; of what could not be, the report speaks."""
        return [each for each in self.report["artifacts"] if each.get("digest")]


def shape(port: Mapping[str, Any]) -> str:
    """`float32 [N, 3, 224, 224]`"""
    return f"{port['dtype']} [{', '.join(map(str, port['shape']))}]"


def reference(report: Mapping[str, Any]) -> str:
    """What the artefacts were compared with, in words."""
    found = report["source"]["reference"]
    kinds = {
        "original": "the model in its own framework",
        "independent": "another implementation's answers",
        "own": "dlpipe's own interpreter only: no other implementation of the format ran",
        "none": "nothing: there was no reference",
    }
    return kinds[found["kind"]] + (f" ({found['tool']})" if found.get("tool") else "")


def figures(artifact: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, str]]:
    """(name, value, unit, how it was come by) of all there is: accuracy, difference from the original, costs."""
    accuracy, fidelity = artifact.get("accuracy"), artifact.get("fidelity")
    if accuracy is not None:
        yield accuracy["metric"], accuracy["value"], "", accuracy["provenance"]
        if accuracy.get("drop") is not None:
            yield "drop against the original", accuracy["drop"], "points", accuracy["provenance"]
    if fidelity is not None and fidelity.get("max_rel") is not None:
        yield "largest difference, of the output's range", fidelity["max_rel"], "", artifact["provenance"]
    for name, figure in artifact["cost"].items():
        if figure["value"] is not None:
            yield name, figure["value"], figure["unit"] or "", figure["provenance"]


def limitations(artifact: Mapping[str, Any]) -> list[str]:
    """What whoever uses it should know: why it is unverified, what a tool said."""
    said = [artifact.get("reason"), artifact.get("accuracy_reason"), artifact.get("fidelity_reason")]
    said += [note["message"] for note in artifact.get("notes", ()) if note["level"] != "info"]
    return [each for each in said if each]

"""What `convert` would do, told before any time is spent: stages, backends, what must be installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dlpipe.contracts.backend import Refusal
from dlpipe.contracts.call import Call
from dlpipe.errors import DlpipeError, GateFailed, Interrupted
from dlpipe.passes.registry import STANDARD, pass_call
from dlpipe.pipeline import boards
from dlpipe.pipeline.artifacts import NO_MODEL, Candidate, calls, candidates, examine
from dlpipe.pipeline.imported import sniff
from dlpipe.pipeline.preflight import Preflight
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.toolchains.licences import how, terms
from dlpipe.toolchains.spec import Spec


@dataclass(frozen=True, slots=True)
class Plan:
    """Plain values, ready to print. `to_install` maps a toolchain to its one-line summary, `to_accept` one that waits
    for the user's word to what its licence is, and how the word is given."""

    model: str
    framework: str
    format: str
    data: str | None
    passes: tuple[str, ...]
    artifacts: tuple[dict[str, Any], ...]
    to_install: dict[str, str]
    to_accept: dict[str, str]
    preflight: str | None = None  # why there was none
    offline: bool = False  # nothing is downloaded: what is to be installed is missing

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "framework": self.framework,
            "format": self.format,
            "data": self.data,
            "stages": ["sniff", "import", "verify", "reference", *self.passes],
            "artifacts": list(self.artifacts),
            "to_install": self.to_install,
            "to_accept": self.to_accept,
            "preflight": self.preflight,
            "offline": self.offline,
        }

    def ruled_out(self, target: str) -> list[str]:
        """One line for each reason: "ncnn (fp32, fp16): If: ncnn's graphs have no branches (at If_0)"."""
        mine = [each for each in self.artifacts if each["target"] == target]
        reasons = dict.fromkeys((each["backend"], refusal) for each in mine for refusal in each["refusals"])
        return [
            f"{name}: {why}"
            for backend, why in reasons
            for name in _together(each for each in mine if each["backend"] == backend and why in each["refusals"])
        ]

    @property
    def possible(self) -> bool:
        """Whether anything is left for any target."""
        return any(not each["refusals"] for each in self.artifacts)

    @property
    def error(self) -> DlpipeError | None:
        """Of a target for which nothing is left."""
        for target in dict.fromkeys(each["target"] for each in self.artifacts):
            if all(each["refusals"] for each in self.artifacts if each["target"] == target):
                what = f"pre-flight rules out everything for {target}: {'; '.join(self.ruled_out(target))}"
                return GateFailed(what, target=target)
        return None

    def as_text(self) -> str:
        lines = [
            f"{self.model}: {self.format}",
            f"  import with {self.framework}, compare with {self.framework} after every stage",
            f"  optimise: {', '.join(self.passes)}",
        ]
        for target in dict.fromkeys(each["target"] for each in self.artifacts):
            mine = [each for each in self.artifacts if each["target"] == target]
            made = _together([each for each in mine if not each["refusals"]])
            lines.append(f"  {target}, executed: {mine[0]['runner']}: {', '.join(made) or 'nothing is left'}")
            lines += [f"    ruled out: {each}" for each in self.ruled_out(target)]
            in_parts = [
                (each["backend"], each["variant"], ", then ".join(each["parts"])) for each in mine if each["parts"]
            ]
            lines += [f"    in parts: {backend} {variant}: {parts}" for backend, variant, parts in in_parts]
        if self.preflight is not None:
            lines.append(f"  no pre-flight: {self.preflight}")
        if self.data is None:
            lines.append("  no --data: fidelity is measured on generated inputs, accuracy stays unknown")
        word = "missing, and downloads are off" if self.offline else "will install"
        for name, summary in self.to_install.items():
            lines.append(f"  {word}: {name} ({summary})")
        for name, what in self.to_accept.items():
            lines.append(f"  will NOT install: {name}, whose artefacts will fail: it is {what}")
        return "\n".join(lines)


def _together(artifacts: Iterable[Mapping[str, Any]]) -> list[str]:
    """The variants of a backend in one word: "ncnn (fp32, fp16)"."""
    found: dict[str, list[str]] = {}
    for each in artifacts:
        found.setdefault(each["backend"], []).append(each["variant"])
    return [f"{name} ({', '.join(variants)})" for name, variants in found.items()]


def make_plan(session: Session, request: ConvertRequest, *, preflight: bool = False) -> Plan:
    """preflight: import the model, if what that takes is installed, and ask the backends. Raises UserError for a bad
    name, BadModel and Unsupported for a file that no frontend takes."""
    targets = boards.targets(request.targets, request.board)
    wanted = [each for target in targets for each in candidates(target, request)]
    _, sniffed, frontend = sniff(session, request.model, factory=request.options.factory)
    missing = _missing(session, [frontend.toolchain, "core", *_toolchains([*calls(wanted), *_steps(wanted)])])
    look, why_not = _preflight(session, request, [frontend.toolchain, "core"]) if preflight else (None, None)
    return Plan(
        model=request.model,
        framework=frontend.name,
        format=sniffed.format,
        data=request.data,
        passes=tuple(STANDARD),
        artifacts=tuple(
            {
                "target": each.target.name,
                "backend": each.backend.name,
                "variant": each.name,
                "runner": each.target.runner,
                "refusals": [str(refusal) for refusal in each.refusals],
                "parts": [str(part) for part in each.parts],
            }
            for each in (_examined(each, look) for each in wanted)
        ),
        to_install={name: spec.summary for name, spec in missing.items() if session.toolchains.licences.accepted(spec)},
        to_accept=to_accept(session, missing),
        preflight=why_not,
        offline=session.toolchains.offline,
    )


def _preflight(session: Session, request: ConvertRequest, tools: list[str]) -> tuple[Preflight | None, str | None]:
    """Or why there is none: a plan installs nothing."""
    if waiting := list(_missing(session, tools)):
        return None, f"it needs the import, and {', '.join(waiting)} is not installed"
    try:
        return Preflight(session, request), None
    except Interrupted:  # that is no reason of the model's
        raise
    except DlpipeError as error:
        return None, error.message


def _examined(each: Candidate, look: Preflight | None) -> Candidate:
    """What is compiled from the fp32 model: by its operators; what a recipe makes first: by the target alone."""
    model = look.model(each.backend) if look is not None and not each.recipe.steps else NO_MODEL
    return replace(each, refusals=(model,)) if isinstance(model, Refusal) else examine(each, model)


def _steps(wanted: Iterable[Candidate]) -> list[Call]:
    """What making their IRs will call."""
    return [pass_call(step.name) for each in wanted for step in each.recipe.steps]


def _toolchains(made: Iterable[Call]) -> list[str]:
    return [name for call in made for name in (call.toolchain, *call.resources)]


def _missing(session: Session, names: Iterable[str]) -> dict[str, Spec]:
    tools = session.toolchains
    return {name: tools.spec(name) for name in dict.fromkeys(names) if tools.find(name) is None}


def to_accept(session: Session, missing: Mapping[str, Spec]) -> dict[str, str]:
    """Of toolchains that are not installed: those under a licence that the user has not accepted, and its terms."""
    accepted = session.toolchains.licences.accepted
    return {name: f"{terms(spec)}; {how(spec)}" for name, spec in missing.items() if not accepted(spec)}

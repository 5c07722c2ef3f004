"""What `convert` would do, told before any time is spent: stages, backends, what must be installed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.passes.registry import STANDARD
from dlpipe.pipeline.artifacts import calls, candidates
from dlpipe.pipeline.imported import sniff
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.targets.registry import target as find_target


@dataclass(frozen=True, slots=True)
class Plan:
    """Plain values, ready to print. `to_install` maps a toolchain to its one-line summary."""

    model: str
    framework: str
    format: str
    data: str | None
    passes: tuple[str, ...]
    artifacts: tuple[dict[str, str], ...]
    to_install: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "framework": self.framework,
            "format": self.format,
            "data": self.data,
            "stages": ["sniff", "import", "verify", "reference", *self.passes],
            "artifacts": list(self.artifacts),
            "to_install": self.to_install,
        }

    def as_text(self) -> str:
        lines = [
            f"{self.model}: {self.format}",
            f"  import with {self.framework}, compare with {self.framework} after every stage",
            f"  optimise: {', '.join(self.passes)}",
        ]
        for target in dict.fromkeys(each["target"] for each in self.artifacts):
            mine = [each for each in self.artifacts if each["target"] == target]
            where = mine[0]["runner"]
            made = ", ".join(
                f"{name} ({', '.join(each['variant'] for each in mine if each['backend'] == name)})"
                for name in dict.fromkeys(each["backend"] for each in mine)
            )
            lines.append(f"  {target}, executed: {where}: {made}")
        if self.data is None:
            lines.append("  no --data: fidelity is measured on generated inputs, accuracy stays unknown")
        for name, summary in self.to_install.items():
            lines.append(f"  will install: {name} ({summary})")
        return "\n".join(lines) + "\n"


def make_plan(session: Session, request: ConvertRequest) -> Plan:
    """Raises UserError for a bad name, BadModel and Unsupported for a file that no frontend takes."""
    targets = [find_target(name) for name in request.targets]
    wanted = [each for target in targets for each in candidates(target, request)]
    _, sniffed, frontend = sniff(session, request.model, factory=request.options.factory)
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
                "variant": each.variant,
                "runner": each.target.runner,
            }
            for each in wanted
        ),
        to_install=_to_install(session, [frontend.toolchain, "core", *_toolchains(calls(wanted))]),
    )


def _toolchains(made: Iterable[Call]) -> list[str]:
    return [name for call in made for name in (call.toolchain, *call.resources)]


def _to_install(session: Session, names: Iterable[str]) -> dict[str, str]:
    return {
        name: session.toolchains.spec(name).summary
        for name in dict.fromkeys(names)
        if session.toolchains.find(name) is None
    }

"""Runs the steps of a composite GitHub Action as GitHub's runner does: its expressions, its files, its shell.

Steps that use other actions are not run but noted, with what they are given: they are GitHub's, not ours.
"""

from __future__ import annotations

import os
import re
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")  # what `shell: bash` is
_TOKEN = re.compile(r"'(?:[^']|'')*'|[A-Za-z_][\w.-]*(?:\(\))?|&&|\|\||[=!]=|[()!]|\s+")


@dataclass
class Acted:
    """`code`: 0, or that of the first step that failed. `uses`: action -> its inputs."""

    code: int = 0
    log: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    uses: dict[str, dict[str, str]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    summary: str = ""


@dataclass
class Runner:
    """`workspace`: the repository that is checked out; `temp`: RUNNER_TEMP, which `actions/cache` fills and keeps."""

    workspace: Path
    temp: Path
    environment: Mapping[str, str]

    def act(self, action: Path, given: Mapping[str, str]) -> Acted:
        spec = yaml.safe_load(action.read_text(encoding="utf-8"))
        inputs = {name: str(each.get("default", "")) for name, each in spec["inputs"].items()} | dict(given)
        missing = [name for name, each in spec["inputs"].items() if each.get("required") and not inputs[name]]
        assert not missing, f"required inputs: {missing}"
        unknown = set(given) - set(spec["inputs"])
        assert not unknown, f"the action has no input {unknown}"
        self.temp.mkdir(parents=True, exist_ok=True)
        known = {f"inputs.{name}": value for name, value in inputs.items()}
        known |= {"runner.temp": str(self.temp), "runner.os": "Linux", "runner.arch": "X64", "github.run_id": "1"}
        acted = Acted()
        page = self.temp / f"summary-{uuid.uuid4().hex}"
        page.touch()
        for step in spec["runs"]["steps"]:
            self._step(step, known, acted, action.parent, page)
        acted.summary = page.read_text(encoding="utf-8")
        acted.outputs = {name: fill(each["value"], known) for name, each in spec.get("outputs", {}).items()}
        return acted

    def _step(self, step: Mapping[str, Any], known: dict[str, str], acted: Acted, home: Path, page: Path) -> None:
        condition = str(step.get("if", "success()"))
        wanted = bool(evaluate(condition, known))
        if not wanted or (acted.code and "always()" not in condition):
            return
        if "uses" in step:
            acted.uses[step["uses"]] = {name: fill(str(each), known) for name, each in step.get("with", {}).items()}
            return
        assert step["shell"] == "bash"  # which a composite action must say
        assert "${{" not in step["run"], "an input pasted into a script is a way to run anything"
        acted.ran.append(step["name"])
        output = self.temp / f"output-{uuid.uuid4().hex}"
        output.touch()
        script = self.temp / f"step-{uuid.uuid4().hex}.sh"
        script.write_text(step["run"], encoding="utf-8")
        files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(page), "GITHUB_ACTION_PATH": str(home)}
        github = {"CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(self.temp), **files}
        own = {name: fill(str(each), known) for name, each in step.get("env", {}).items()}
        environment = {**self.environment, **github, **own}
        done = run([*_SHELL, str(script)], self.workspace, environment)
        acted.log += done.stdout + done.stderr
        acted.code = acted.code or done.returncode
        for line in output.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            known[f"steps.{step['id']}.outputs.{name}"] = value


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=dict(environment), capture_output=True, text=True, timeout=600, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def plain_environment() -> dict[str, str]:
    """Of this process, without what says that it runs in somebody's CI itself."""
    own = ("GITHUB_", "RUNNER_", "CI_", "DLPIPE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own) and name != "CI"}


def fill(text: str, known: Mapping[str, str]) -> str:
    """A text with its `${{ }}` evaluated."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda match: str(evaluate(match[1].strip(), known)), text)


def evaluate(expression: str, known: Mapping[str, str]) -> Any:
    """The part of GitHub's expressions that our files use. A name without a value is empty."""
    words = _TOKEN.findall(expression)
    assert "".join(words) == expression, f"not understood: {expression}"
    operators = {"&&": "and", "||": "or", "!": "not", "==": "==", "!=": "!=", "(": "(", ")": ")"}
    spoken = []
    for word in words:
        if word.isspace():
            continue
        if word in ("always()", "success()"):
            spoken.append("True")
        elif word in operators:
            spoken.append(operators[word])
        elif word.startswith("'"):
            spoken.append(repr(word[1:-1].replace("''", "'")))
        else:
            spoken.append(repr(known.get(word, "")))
    return eval(" ".join(spoken), {"__builtins__": {}})

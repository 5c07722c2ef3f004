"""GitLab's template, the Jenkinsfile and the pre-commit hook: their scripts are run as these systems run them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ci.acting import run

pytestmark = pytest.mark.slow
ARGUMENTS = "--backend onnxruntime --precision fp32 --data models/labelled.npz"


def gitlab(job: dict[str, Any], folder: Path, environment: dict[str, str], **variables: str) -> tuple[int, str]:
    """One shell for all lines; variables may name those that GitLab sets."""
    given: dict[str, str] = {"CI": "true", "CI_PROJECT_DIR": str(folder), "CI_DEFAULT_BRANCH": "main", **variables}
    for name, value in job["variables"].items():
        expanded = re.sub(r"\$(\w+)", lambda match: given.get(match[1], ""), value)
        given.setdefault(name, expanded)
    lines = "\n".join([*job["before_script"], *job["script"]])
    done = run(["bash", "-eo", "pipefail", "-c", lines], folder, {**environment, **given})
    return done.returncode, done.stdout + done.stderr


def test_gitlab(
    repo_root: Path, repository: Path, environment: dict[str, str], cache: Callable[[Path], object]
) -> None:
    job = yaml.safe_load((repo_root / "ci/gitlab/dlpipe.gitlab-ci.yml").read_text(encoding="utf-8"))[".dlpipe"]
    (kept,) = job["cache"]["paths"]
    cache(repository / kept)
    given = {"DLPIPE_MODEL": "models/net.onnx", "DLPIPE_TARGET": "x86-64", "DLPIPE_ARGUMENTS": ARGUMENTS,
             "DLPIPE_LIMITS": "--max-size 2MB"}  # fmt: skip
    code, log = gitlab(job, repository, environment, CI_COMMIT_BRANCH="main", **given)
    assert (code, "accepted as" in log) == (0, True), log
    assert (repository / job["artifacts"]["reports"]["junit"]).is_file()
    assert all((repository / path).exists() for path in job["artifacts"]["paths"])

    shutil.copyfile(repository / "models" / "worse.onnx", repository / "models" / "net.onnx")
    code, log = gitlab(job, repository, environment, CI_COMMIT_BRANCH="main", **given)
    assert (code, "BROKEN  accuracy-regression" in log) == (3, True), log
    assert "accepted as" not in log  # the default branch accepts only what passed


def test_jenkins(
    repo_root: Path, repository: Path, environment: dict[str, str], cache: Callable[[Path], object]
) -> None:
    text = (repo_root / "ci/jenkins/Jenkinsfile").read_text(encoding="utf-8")
    settings = dict(re.findall(r"^ {8}(\w+) = '([^']*)'", text, re.MULTILINE))
    assert settings["ARGUMENTS"] == ""
    settings["ARGUMENTS"] = ARGUMENTS
    home = repository / "home"
    cache(home / ".cache" / "dlpipe")
    assert '"${env.HOME}/.cache/dlpipe"' in text
    given = {**environment, **settings, "HOME": str(home), "DLPIPE_CACHE_DIR": str(home / ".cache" / "dlpipe")}
    scripts = re.findall(r"stage\('(\w+)'\).*?sh '''(.*?)'''", text, re.DOTALL)
    assert [name for name, _ in scripts] == ["Install", "Convert", "Gate", "Accept"]
    for number, (name, script) in enumerate(scripts):
        file = repository / f"step{number}"  # Jenkins starts the interpreter that the first line names
        file.write_text(script, encoding="utf-8")
        assert script.startswith("#!/usr/bin/env bash\n")
        done = run(["bash", str(file)], repository, given)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    for path in re.findall(r"junit '([^']+)'|pattern: '([^']+)'", text):
        assert (repository / "".join(path)).is_file()


def test_pre_commit(
    tmp_path: Path, repo_root: Path, repository: Path, environment: dict[str, str], cache: Callable[[Path], object]
) -> None:
    (hook,) = yaml.safe_load((repo_root / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    cache(tmp_path / "cache")
    files = [each.relative_to(repository).as_posix() for each in sorted(repository.rglob("*")) if each.is_file()]
    matching = [each for each in files if re.search(hook["files"], each)]
    assert matching == ["models/net.onnx", "models/worse.onnx"]
    command = ["bash", "-c", hook["entry"] + ' "$@"', "pre-commit", *matching]
    given = {**environment, "DLPIPE_CACHE_DIR": str(tmp_path / "cache")}
    done = run(command, repository, given)
    assert done.returncode == 0, done.stderr
    (repository / "models" / "worse.onnx").write_bytes((repository / "models" / "worse.onnx").read_bytes()[:100])
    assert run(command, repository, given).returncode == 2

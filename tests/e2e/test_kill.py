"""kill -9 of the whole process tree at random moments: the next run ends with the same artefacts."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.user import User, kill_within, make_user

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

KILLS = int(os.environ.get("DLPIPE_TEST_KILLS", "5"))


def digests(report: dict[str, Any]) -> dict[str, str]:
    found = {each["path"]: each["digest"] for each in report["artifacts"]}
    return found | {s["id"]: s["output"] for s in report["stages"] if s["class"] == "deterministic" and s["output"]}


def test_a_killed_run_resumes_to_the_same_artefacts(shared: Path, tmp_path: Path) -> None:
    model = shared / "models" / "arm_ml_kws" / "DNN_S.pb"
    args = ("convert", model, "-t", "arm64", "--json", "--yes", "--out", "out")
    calm = make_user(tmp_path / "calm")
    started = time.monotonic()
    undisturbed = digests(calm.ok(*args).json)
    whole = time.monotonic() - started
    victim = make_user(tmp_path / "victim")
    chance = random.Random(20180801)
    for number in range(KILLS):
        if number % 10 == 9:  # what was finished is in the store: begin anew, or the kills meet only the end
            victim = make_user(tmp_path / f"victim-{number}")
        kill_within(victim, args, chance.uniform(0.2, whole * 0.9))
        left = victim.folder / "out"
        assert not left.exists() or (left / "manifest.json").exists(), "a partial output folder"
    assert digests(victim.ok(*args).json) == undisturbed
    assert victim.dlpipe("cache", "verify").code == 0


def test_ctrl_c_says_so_and_leaves_nothing_partial(user: User, shared: Path) -> None:
    model = shared / "models" / "arm_ml_kws" / "DNN_S.pb"
    process = subprocess.Popen(
        user.command("convert", model, "-t", "arm64", "--out", "out"),
        cwd=user.folder,
        env=user.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A job that a script started in the background ignores Ctrl-C, and hands that on: a user's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    for line in process.stderr:  # the import has ended: more than one stage is still to come
        if "import" in line and line.startswith("done"):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "FAIL" not in err
    assert err.splitlines()[-2] == "dlpipe: interrupted"
    assert not (user.folder / "out").exists()
    assert not list((user.cache / "work").iterdir())


def test_two_at_once_share_the_cache(user: User, shared: Path) -> None:
    model = shared / "models" / "arm_ml_kws" / "DNN_S.pb"
    processes = [
        subprocess.Popen(
            user.command("convert", model, "-t", "arm64", "-b", "onnxruntime", "--out", f"out{number}", "--json"),
            cwd=user.folder,
            env=user.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for number in range(2)
    ]
    for process in processes:
        _, err = process.communicate(timeout=1200)
        assert process.returncode == 0, err.decode()
    manifests = [(user.folder / f"out{number}" / "model.onnx").read_bytes() for number in range(2)]
    assert manifests[0] == manifests[1]
    assert user.dlpipe("cache", "verify").code == 0

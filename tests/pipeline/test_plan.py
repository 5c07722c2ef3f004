"""Planning for a target that a backend has no build for."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from dlpipe.errors import Interrupted
from dlpipe.pipeline.events import Event, StageStarted
from dlpipe.pipeline.plan import make_plan
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.toolchains import Toolchains


@pytest.mark.parametrize("target", ["riscv64", "armv7", "android-arm64", "x86-64-v3"])
def test_every_target_can_be_planned(
    shared: Path, tmp_path: Path, toolchains: Toolchains, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    (tmp_path / "toolchains").symlink_to(toolchains.root)
    monkeypatch.setenv("DLPIPE_CACHE_DIR", str(tmp_path))
    model = str(shared / "models" / "arm_ml_kws" / "DNN_S.pb")
    with Session() as session:
        plan = make_plan(session, ConvertRequest(model, (target,), backends=("all",)))
    assert {each["target"] for each in plan.artifacts} == {target}


def test_offline_nothing_will_be_installed(
    shared: Path, tmp_path: Path, toolchains: Toolchains, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines of the plan said that it would be, before the run failed over what is missing."""
    (tmp_path / "toolchains").mkdir()
    for each in toolchains.root.iterdir():
        if not each.name.startswith("tvm-"):
            (tmp_path / "toolchains" / each.name).symlink_to(each)
    monkeypatch.setenv("DLPIPE_CACHE_DIR", str(tmp_path))
    model = str(shared / "models" / "arm_ml_kws" / "DNN_S.pb")
    with Session(offline=True) as session:
        plan = make_plan(session, ConvertRequest(model, ("x86-64",), backends=("tvm",)))
    assert "missing, and downloads are off: tvm (" in plan.as_text()
    assert "will install" not in plan.as_text()


def test_a_plan_that_is_stopped_is_no_plan(
    shared: Path, tmp_path: Path, toolchains: Toolchains, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toolchains").symlink_to(toolchains.root)
    monkeypatch.setenv("DLPIPE_CACHE_DIR", str(tmp_path))
    main = threading.main_thread().ident
    assert main is not None

    def stop(event: Event) -> None:
        if isinstance(event, StageStarted):
            signal.pthread_kill(main, signal.SIGTERM)

    request = ConvertRequest(str(shared / "models" / "arm_ml_kws" / "DNN_S.pb"), ("x86-64",))
    with pytest.raises(Interrupted), Session(listeners=[stop]) as session:
        make_plan(session, request, preflight=True)

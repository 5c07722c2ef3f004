"""Planning for a target that a backend has no build for."""

from __future__ import annotations

from pathlib import Path

import pytest

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

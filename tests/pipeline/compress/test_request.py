"""What is minimised, and which limits can be told, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.errors import GateFailed, UserError
from dlpipe.passes.recipes import recipe
from dlpipe.pipeline.compress.request import CompressRequest, parse_budget
from dlpipe.pipeline.limits import UserLimits
from dlpipe.pipeline.request import find_recipes
from dlpipe.targets.registry import target


def request(**more: object) -> CompressRequest:
    return CompressRequest(model="m.onnx", out=Path("out.onnx"), **more)


def test_what_is_minimised_follows_from_what_is_asked() -> None:
    assert request().minimised == "latency"
    assert request(limits=UserLimits(max_size=1e6)).minimised == "size"
    assert request(limits=UserLimits(max_size=1e6, min_speedup=1.5)).minimised == "latency"
    assert request(target=target("android-arm64")).minimised == "size"
    assert request(target=target("android-arm64"), minimise="latency").minimised == "latency"
    assert request(recipes=(recipe("int8"),)).minimised == "size"


def test_a_limit_on_speed_needs_a_target_that_is_here() -> None:
    request(limits=UserLimits(max_latency=5.0)).check()
    request(target=target("android-arm64"), limits=UserLimits(max_size=5.0)).check()
    for limits in (UserLimits(max_latency=5.0), UserLimits(min_speedup=1.2), UserLimits(max_memory=1e6)):
        with pytest.raises(GateFailed, match="cannot be evaluated"):
            request(target=target("android-arm64"), limits=limits).check()


def test_a_tolerance_that_is_none_is_told_before_any_work(tmp_path: Path) -> None:
    text = 'name = "mine"\nsummary = "s"\nprecision = "fp32"\ntolerance = "{}"\nsteps = []\n'
    file = tmp_path / "mine.toml"
    file.write_text(text.format("retrained"))
    assert find_recipes([str(file)])[0].judged_as == "retrained"
    file.write_text(text.format("loose"))
    with pytest.raises(UserError, match="no tolerance 'loose'"):
        find_recipes([str(file)])


def test_a_budget_is_a_time() -> None:
    assert [parse_budget(text) for text in ("90s", "10min", "1.5h")] == [90.0, 600.0, 5400.0]
    for text in ("10", "min", "-5s", "10 minutes"):
        with pytest.raises(UserError, match="not a time"):
            parse_budget(text)

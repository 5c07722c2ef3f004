"""Every frontend tells, by running code, what of its framework's operators it covers."""

from __future__ import annotations

from typing import Any

import pytest

from dlpipe.frontends.registry import find_frontend, frontends


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(frontends()))
def test_operators(work: Any, name: str) -> None:
    call = find_frontend(name).operators_call()
    assert call is not None
    _, value = work(call, {})
    assert value["source"]
    kinds = {each["support"] for each in value["operators"].values()}
    assert "full" in kinds
    assert kinds <= {"full", "partial", "none"}
    for operator, each in value["operators"].items():
        assert operator
        assert each.get("note") is None or isinstance(each["note"], str)

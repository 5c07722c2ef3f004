"""Spellings of one operator: all of a module's graphs go through its pass in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dlpipe.passes.registry import pass_info


@pytest.fixture(scope="session")
def try_spellings(try_many) -> Callable[..., dict[str, Any]]:
    """try_spellings(pass, {name: body or (body, build params)}) -> {name: the pass's step, with "before"}.

    The step of `trials/worker.py`; the outputs must not have moved by more than 1e-5 of their size, nodes must not
    have become more, and a second run of the pass must find nothing to do. `raised`: whether it may raise the opset.
    """

    def attempt(
        name: str, bodies: Mapping[str, Any], *, opset: int, raised: bool = False, **build: Any
    ) -> dict[str, Any]:
        cases = {}
        for label, given in bodies.items():
            body, own = given if isinstance(given, tuple) else (given, {})
            version = own.get("opset", opset)
            text = f'<ir_version: 8, opset_import: ["" : {version}]> g {body}'
            cases[label] = {**build, **own, "text": text}
        found = {}
        params = {name: {"raise_opset": raised}} if "raise_opset" in pass_info(name).defaults else {}
        for label, [steps] in try_many(cases, [[name]], params, {"N": 2, "S": 3}).items():
            before, step = steps
            assert "refused" not in step, step
            assert "raised" not in step, (label, step)
            assert isinstance(step["error"], float), (label, step)
            assert step["error"] < 1e-5, (label, step)
            assert step["nodes"] <= before["nodes"], (label, step)
            assert not step["again"], (label, step)
            found[label] = {**step, "before": before["operators"]}
        return found

    return attempt

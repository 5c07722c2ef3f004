"""How a pass is tried: before and after on the same samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe import ir as ir_room
from dlpipe import passes as passes_room
from dlpipe.contracts.call import Call
from dlpipe.ir.calls import describe_call
from dlpipe.passes.registry import pass_call, pass_info


@dataclass(frozen=True)
class Tried:
    """`error`: the largest difference of any output, relative to that output's range before."""

    value: dict[str, Any]
    before: Counter[str]
    after: Counter[str]
    error: float
    ir: Path
    source: Path


@pytest.fixture(scope="session")
def try_pass(bench) -> Callable[..., Tried]:
    """try_pass(name, ir, samples=None, **params) -> Tried."""

    def attempt(name: str, ir: Path, samples: Path | None = None, **params: Any) -> Tried:
        samples = samples or bench.samples(ir)
        needed = {"samples": samples} if pass_info(name).needs else {}
        value, out = bench.run(pass_call(name, **params), ir=ir, **needed)
        assert (out / "contract.json").read_bytes() == (ir / "contract.json").read_bytes()
        old, new = bench.outputs(ir, samples), bench.outputs(out, samples)
        assert {key: (a.dtype, a.shape) for key, a in old.items()} == {
            key: (a.dtype, a.shape) for key, a in new.items()
        }
        error = max(float(np.abs(old[key] - new[key]).max() / max(np.ptp(old[key]), 1e-6)) for key in old)
        counts = [Counter(bench.run(describe_call(), ir=each)[0]["operators"]) for each in (ir, out)]
        if not value["modified"]:
            assert (out / "model.onnx").read_bytes() == (ir / "model.onnx").read_bytes()
        return Tried(value, counts[0], counts[1], error, out, ir)

    return attempt


@pytest.fixture(scope="session")
def try_text(bench, try_pass) -> Callable[..., Tried]:
    """try_text(name, body, params={}, **build) -> Tried: the graph in ONNX's textual form."""

    def attempt(name: str, body: str, *, params: dict[str, Any] | None = None, opset: int = 18, **build: Any) -> Tried:
        text = f'<ir_version: 8, opset_import: ["" : {opset}]> g {body}'
        return try_pass(name, bench.make_ir(bench.build(text, **build)), **(params or {}))

    return attempt


@pytest.fixture(scope="session")
def try_many(bench) -> Callable[..., dict[str, list[list[dict[str, Any]]]]]:
    """try_many(cases, plan, params={}, dims={}): many small models in one call; see `trials/worker.py`."""
    here = Path(__file__).parent
    rooms = [Path(str(room.__file__)).parent for room in (ir_room, passes_room)]
    libraries = (*rooms, here.parent / "graphs", here.parent / "ir" / "suites")

    def attempt(cases: dict[str, Any], plan: list[list[str]], params: Any = None, dims: Any = None) -> Any:
        chosen = {
            name: {**pass_info(name).defaults, **(params or {}).get(name, {})} for chain in plan for name in chain
        }
        wanted = {"cases": cases, "plan": plan, "params": chosen, "dims": dims or {}}
        worker = here / "trials" / "worker.py"
        return bench.run(Call("core", worker, "try_all", wanted, libraries=libraries))[0]

    return attempt

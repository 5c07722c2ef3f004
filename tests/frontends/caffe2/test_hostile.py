"""Damaged and hostile nets are refused with a reason: no crash, no hang, no memory that a few bytes ask for."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported
from dlpipe.frontends.caffe2 import Caffe2Frontend
from dlpipe.toolchains.pool import WorkerPool

FRONTEND = Caffe2Frontend()


def mutated(data: bytes, seed: int) -> bytes:
    """Cut, flipped, spliced or a number made large: one to three changes."""
    dice = random.Random(seed)
    content = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        at, end = sorted((dice.randrange(len(content)), dice.randrange(len(content))))
        kind = dice.randrange(5)
        if kind == 0 and at > 8:
            del content[at:]
        elif kind == 1:
            content[at] ^= 1 << dice.randrange(8)
        elif kind == 2:
            content[at:at] = content[at : min(end, at + 64)]
        elif kind == 3:
            content[at : at + 4] = b"\xff\xff\xff\x7f"
        else:
            del content[at : min(end, at + 8)]
    return bytes(content)


@pytest.mark.parametrize("name", ["predict_net.pb", "predict_net.pbtxt", "init_net.pb"])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_mutated_files(pool: WorkerPool, tmp_path: Path, shared: Path, work: Any, name: str, seed: int) -> None:
    made = shared / "made" / "caffe2"
    entry = name if name.startswith("predict") else "predict_net.pb"
    source = work.source(made / entry, made / "init_net.pb")
    (source / name).write_bytes(mutated((made / name).read_bytes(), seed))
    call = FRONTEND.import_call(Sniffed("caffe2/netdef", "caffe2", entry), ImportOptions())
    with contextlib.suppress(BadModel, Unsupported):
        pool.run(call, {"source": source}, work.new_folder())


def test_a_fill_without_end(work: Any) -> None:
    source = work.source(predict_net_pbtxt=_FILL.encode())
    call = FRONTEND.import_call(
        Sniffed("caffe2/netdef-text", "caffe2", "predict_net.pbtxt"), ImportOptions({"x": {"shape": [1]}})
    )
    with pytest.raises(BadModel, match="a fill of the shape 1000000x1000000"):
        work(call, {"source": source})


_FILL = """
op { output: "w" type: "ConstantFill" arg { name: "shape" ints: 1000000 ints: 1000000 } }
op { input: "x" input: "w" output: "y" type: "Add" }
external_input: "x"
external_output: "y"
"""

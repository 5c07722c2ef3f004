"""Damaged and hostile files: a model, or a refusal that says why; never a hang, a crash or a flood."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.errors import BadModel, Unsupported

FILES = ("RFB-320.mnn", "RFB-320-quant-KL-5792.mnn")


def mutated(data: bytes, seed: int, how: str) -> bytes:
    """how: cut, flip (bytes), word (one becomes another; most of the structure is at the file's ends), splice."""
    found, chance = bytearray(data), random.Random(seed)

    def place() -> int:
        reach = chance.choice([200, 4000, len(found)])
        return chance.choice([chance.randrange(reach), len(found) - 1 - chance.randrange(reach)])

    if how == "cut":
        del found[place() :]
    elif how == "flip":
        for _ in range(chance.randint(1, 20)):
            found[place()] = chance.randrange(256)
    elif how == "word":
        for _ in range(chance.randint(1, 4)):
            word = chance.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, chance.randrange(len(found)), 1 << 20])
            struct.pack_into("<I", found, min(place() // 4 * 4, len(found) - 4), word)
    else:
        at = place()
        found[at:at] = chance.randbytes(chance.randint(1, 64))
    return bytes(found)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=st.sampled_from(FILES),
    seed=st.integers(0, 2**32),
    how=st.sampled_from(["cut", "flip", "word", "word", "splice"]),
)
def test_mutated_files(mnn: Any, shared: Path, work: Any, file: str, seed: int, how: str) -> None:
    data = (shared / "models/ultraface" / file).read_bytes()
    try:
        mnn.ir(work.source(net_mnn=mutated(data, seed, how)))
    except (BadModel, Unsupported):
        return


@pytest.mark.parametrize("data", [b"", b"MNN", bytes(64), b"\x10\0\0\0" + bytes(60)])
def test_what_is_no_model(mnn: Any, work: Any, data: bytes) -> None:
    with pytest.raises(BadModel):
        mnn.ir(work.source(net_mnn=data))

"""Damaged and hostile files: a model, or a refusal that says why; never a hang, a crash or a flood."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.errors import BadModel, Unsupported


def mutated(data: bytes, seed: int, how: str) -> bytes:
    """how: cut, flip (bytes), splice, digit (another number), line (one is gone or there twice)."""
    found, chance = bytearray(data), random.Random(seed)
    if how == "cut":
        del found[chance.randrange(len(found)) :]
    elif how == "flip":
        for _ in range(chance.randint(1, 10)):
            found[chance.randrange(len(found))] = chance.randrange(256)
    elif how == "digit":
        places = [at for at, byte in enumerate(found) if chr(byte).isdigit()]
        for at in sorted(chance.sample(places, min(3, len(places))), reverse=True):
            found[at : at + 1] = chance.choice([b"0", b"-1", b"7", b"-233", b"2147483647", b"99", b"1e9", b"-23300"])
    elif how == "line":
        lines = bytes(found).splitlines(keepends=True)
        at = chance.randrange(2, len(lines))
        lines[at : at + 1] = chance.choice([[], [lines[at], lines[at]], [lines[chance.randrange(2, len(lines))]]])
        found = bytearray(b"".join(lines))
    else:
        at = chance.randrange(len(found))
        found[at:at] = chance.randbytes(chance.randint(1, 64))
    return bytes(found)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    model=st.sampled_from(["ultraface/RFB-320", "yolo_fastest/yolo-fastest-1.1"]),
    seed=st.integers(0, 2**32),
    how=st.sampled_from(["cut", "flip", "splice", "digit", "digit", "line"]),
    weights=st.booleans(),
)
def test_mutated_networks(ncnn: Any, shared: Path, model: str, seed: int, how: str, weights: bool) -> None:
    text, data = ((shared / f"models/{model}.{each}").read_bytes() for each in ("param", "bin"))
    if weights and how in ("cut", "splice", "flip"):
        data = mutated(data, seed, how)
    else:
        text = mutated(text, seed, how)
    outputs = ("120_854", "129_922") if "yolo" in model else ()
    try:
        ncnn.ir(ncnn.source(text, data), outputs=outputs)
    except (BadModel, Unsupported):
        return

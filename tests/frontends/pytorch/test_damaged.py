"""Damaged and changed files: a clear refusal, or a model; never a crash, a hang or a trace."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported
from dlpipe.frontends.pytorch import PyTorchFrontend

NETS = Path(__file__).with_name("nets.py")
IMAGE = {"x": {"shape": [1, 3, 16, 16], "dtype": None}}


@pytest.mark.parametrize(
    ("file", "form"),
    [("plain.pth", "state-dict"), ("legacy.pth", "state-dict"), ("traced.pt", "torchscript"), ("conv.pt2", "pt2")],
)
def test_mutated_files(work: Any, made: Path, file: str, form: str) -> None:
    whole = (made / file).read_bytes()
    factory = "nets:Conv" if form == "state-dict" else None
    # An output that there is not: what can still be read is refused before it is exported twice over.
    options = ImportOptions(inputs={"y": IMAGE["x"]}, factory=factory)
    call = PyTorchFrontend().import_call(Sniffed(f"pytorch/{form}", "pytorch", file), options)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(st.integers(0, 2**32), st.sampled_from(["cut", "flip", "splice"]))
    def mutate(seed: int, how: str) -> None:
        chance, data = random.Random(seed), bytearray(whole)
        if how == "cut":
            del data[chance.randrange(len(data)) :]
        for _ in range(chance.choice((1, 4, 60)) if how == "flip" else 0):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if how == "splice":
            start, end = sorted(chance.randrange(len(data)) for _ in range(2))
            data[start:end] = data[: chance.randrange(len(data))][: end - start]
        source = work.source(NETS)
        (source / file).write_bytes(data)
        with contextlib.suppress(BadModel, Unsupported):
            work(call, {"source": source})

    mutate()

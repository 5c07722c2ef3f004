"""Mutated symbols and parameters: an import, or a refusal that says why. No crash, no hang."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported

from .conftest import FRONTEND

NETS = {
    "made/mxnet191/lenet": ("-symbol.json", "-0001.params"),
    "made/mxnet191/lstm2uni": ("-symbol.json", "-0000.params"),
    "models/mtcnn_caffe_mxnet/det1": ("-symbol.json", "-0001.params"),
}
SHAPES = {"lenet": [1, 1, 28, 28], "lstm2uni": [2, 7], "det1": [1, 3, 12, 12]}
WORDS = (b"null", b"Reshape", b"-1", b"0", b"99999999999", b"(0,0)", b"None", b"slice", b"RNN", b"[[0,0,0]]", b"1e308")


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(net=st.sampled_from(sorted(NETS)), seed=st.integers(0, 2**32), which=st.sampled_from([0, 0, 1]))
def test_mutated_files(shared: Path, work: Any, net: str, seed: int, which: int) -> None:
    files = [shared / (net + ending) for ending in NETS[net]]
    name = files[0].name.removesuffix("-symbol.json")
    source = work.source(*files)
    target = source / files[which].name
    target.write_bytes(_mutated(target.read_bytes(), random.Random(seed), text=which == 0))
    options = ImportOptions(inputs={"data": {"shape": SHAPES[name]}})
    try:
        work(FRONTEND.import_call(Sniffed("mxnet/symbol", "mxnet", files[0].name), options), {"source": source})
    except (BadModel, Unsupported) as error:
        assert error.message


def _mutated(data: bytes, chance: random.Random, *, text: bool) -> bytes:
    found = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(found))
        how = chance.choice(["flip", "cut", "splice", "number", "word"] if text else ["flip", "flip", "cut", "splice"])
        if how == "flip":
            found[at] = chance.randrange(256) if not text else chance.randrange(32, 127)
        elif how == "splice":
            found[at:at] = found[chance.randrange(len(found)) :][: chance.randint(1, 40)]
        elif how == "word":
            found[at:at] = chance.choice(WORDS)
        elif how == "number":
            digits = [place for place, byte in enumerate(found) if chr(byte).isdigit()]
            if digits:
                place = chance.choice(digits)
                found[place : place + 1] = chance.choice(WORDS[2:5])
        elif chance.random() < 0.3:
            del found[at:]
            if not found:
                return b""
    return bytes(found)

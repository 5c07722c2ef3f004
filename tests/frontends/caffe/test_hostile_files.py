"""Files cut, flipped and spliced: an import or a refusal comes out, and nothing else."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.errors import BadModel, Unsupported

from .conftest import field, varint

NETS = ("made/caffe/misc", "made/caffe/misc_min", "models/mtcnn_caffe_mxnet/det1", "made/caffe/cifar10_quick")


def mutated(data: bytes, seed: int, how: str) -> bytes:
    """Cut short, some bytes changed, or a piece of it (or of noise) put in elsewhere."""
    chance, made = random.Random(seed), bytearray(data)
    if how in ("flip", "both"):
        for _ in range(chance.randint(1, 12)):
            made[chance.randrange(min(len(made), 3000) if chance.random() < 0.7 else len(made))] = chance.randrange(256)
    if how == "splice":
        at, size = chance.randrange(len(made)), chance.randint(1, 200)
        start = chance.randrange(len(made))
        made[at:at] = made[start : start + size] if chance.random() < 0.7 else chance.randbytes(size)
    if how in ("cut", "both"):
        del made[chance.randrange(len(made)) :]
    return bytes(made)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    net=st.sampled_from(NETS),
    seed=st.integers(0, 2**32),
    how=st.sampled_from(["cut", "flip", "splice", "both", "digits"]),
    which=st.sampled_from(["prototxt", "caffemodel"]),
)
def test_mutated_nets(caffe: Any, shared: Path, net: str, seed: int, how: str, which: str) -> None:
    files = {each: (shared / f"{net}.{each}").read_bytes() for each in ("prototxt", "caffemodel")}
    if how == "digits":
        files["prototxt"] = other_numbers(files["prototxt"], seed)
    else:
        files[which] = mutated(files[which], seed, how)
    settles(caffe, files["prototxt"], files["caffemodel"])


def other_numbers(text: bytes, seed: int) -> bytes:
    """The net with one of its numbers changed: still well-formed, and absurd."""
    chance = random.Random(seed)
    found = chance.choice(list(re.finditer(rb"(?<=:)\s*[0-9.]+", text)))
    value = chance.choice([b"0", b"-1", b"7", b"65535", b"99999999999", b"1e30", b"nan", b"3.5", b"true"])
    return text[: found.start()] + b" " + value + text[found.end() :]


def settles(caffe: Any, prototxt: bytes, weights: bytes) -> None:
    source = caffe.source("", weights)
    (source / caffe.entry).write_bytes(prototxt)
    try:
        caffe.ir(source)
    except (BadModel, Unsupported) as error:
        assert error.message


def test_sizes_that_lie(caffe: Any) -> None:
    """A blob that claims more than the file holds, and dims that multiply to an absurd number."""
    text = """input: "x" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 4
    layer { name: "l" type: "Scale" bottom: "x" top: "y" }"""
    dims = field(7, field(1, varint(2**40) * 3))
    for weights in (
        field(100, field(1, b"l") + field(7, dims + field(5, b"\0" * 12))),
        field(100, field(1, b"l") + field(7, field(5, b"\0" * 11))),
        field(100, field(1, b"l") + varint(7 << 3 | 2) + varint(2**33)),
    ):
        with pytest.raises(BadModel):
            caffe.ir(caffe.source(text, weights))


def test_nets_that_grow(caffe: Any) -> None:
    """A few bytes of text ask for gigabytes."""
    head = 'input: "x" input_dim: 1 input_dim: 3 input_dim: 4000000 input_dim: 4000000\n'
    for layer in (
        'type: "PriorBox" bottom: "x" bottom: "x" top: "y" prior_box_param { min_size: 1 }',
        'type: "DummyData" top: "y" dummy_data_param { shape { dim: 99999999 dim: 99999999 } }',
        'type: "SPP" bottom: "x" top: "y" spp_param { pyramid_height: 60 }',
    ):
        with pytest.raises((BadModel, Unsupported)):
            caffe.ir(caffe.source(head + f'layer {{ name: "l" {layer} }}', {}))
    deep = "a { " * 100_000
    with pytest.raises(BadModel, match="nested"):
        caffe.ir(caffe.source(deep, {}))

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

from .conftest import FRONTEND, OPTIONS, sniffed

FILES = (
    "made/tf221/tfl_cnn_i8.tflite",
    "made/tf221/tfl_rnn_f32.tflite",
    "made/tf221/tfl_trf_f32.tflite",
    "models/tflite_micro/trained_lstm.tflite",
    "models/tflite_micro/hello_world_float.tflite",
)


def mutated(data: bytes, seed: int, how: str) -> bytes:
    """how: cut, flip (bytes), offset (a word becomes another), splice."""
    found, chance = bytearray(data), random.Random(seed)
    if how == "cut":
        del found[chance.randrange(len(found)) :]
    elif how == "flip":
        for _ in range(chance.randint(1, 20)):
            found[chance.randrange(len(found))] = chance.randrange(256)
    elif how == "offset":
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(found) // 4) * 4
            word = chance.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, chance.randrange(len(found)), 1 << 20])
            struct.pack_into("<I", found, at, word)
    else:
        at, size = chance.randrange(len(found)), chance.randint(1, 64)
        found[at:at] = chance.randbytes(size)
    return bytes(found)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=st.sampled_from(FILES),
    seed=st.integers(0, 2**32),
    how=st.sampled_from(["cut", "flip", "offset", "offset", "splice"]),
)
def test_mutated_files(shared: Path, work: Any, file: str, seed: int, how: str) -> None:
    _settles(work, mutated((shared / file).read_bytes(), seed, how))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_random_bytes(work: Any, data: bytes) -> None:
    _settles(work, b"\x20\0\0\0TFL3" + data)


def _settles(work: Any, data: bytes) -> None:
    source = work.source(model_tflite=data)
    try:
        work(FRONTEND.import_call(sniffed("model.tflite"), OPTIONS), {"source": source})
    except (BadModel, Unsupported) as error:
        assert error.message


def test_references_to_the_same_bytes_are_paid_for(work: Any) -> None:
    """2,000 references to one graph, which refers 2,000 times to one tensor: four million tensors in 16 kB."""
    count = 2000
    layouts = struct.pack("<7H", 14, 16, 4, 0, 8, 0, 12) + struct.pack("<3H", 6, 8, 4) + struct.pack("<2H", 4, 4)
    of_root, of_graph, of_empty = 8, 22, 28
    root = 8 + len(layouts)
    graphs = root + 16
    graph = graphs + 4 + 4 * count
    tensors = graph + 8
    empty = tensors + 4 + 4 * count  # a tensor, and a buffer, without any field
    buffers = empty + 4

    def vector(at: int, target: int) -> bytes:
        return struct.pack(f"<{count + 1}I", count, *(target - at - 4 - 4 * index for index in range(count)))

    data = struct.pack("<I", root) + b"TFL3" + layouts
    data += struct.pack("<iIII", root - of_root, 3, graphs - (root + 8), buffers - (root + 12)) + vector(graphs, graph)
    data += struct.pack("<iI", graph - of_graph, tensors - (graph + 4)) + vector(tensors, empty)
    data += struct.pack("<i", empty - of_empty) + struct.pack("<II", 1, 4) + struct.pack("<i", buffers + 8 - of_empty)
    with pytest.raises(BadModel, match="over and over"):
        work(FRONTEND.import_call(sniffed("model.tflite"), OPTIONS), {"source": work.source(model_tflite=data)})

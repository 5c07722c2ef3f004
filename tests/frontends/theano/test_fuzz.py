"""Damaged files end in a clear refusal (or, where the damage hits a weight, in a model)."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported

from .conftest import FRONTEND
from .test_given_files import LAYERS

KEYS = ("type", "num_filters", "filter_size", "pad", "stride", "num_units", "shape", "pattern", "name", "width")
FILES = ("lasagne_params.npz", "cnn_graph.pkl", "cnn_function.pkl")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=st.sampled_from(FILES), seed=st.integers(0, 2**32), how=st.sampled_from(["cut", "flip", "splice"]))
def test_mutated_files(shared: Path, work: Any, file: str, seed: int, how: str) -> None:
    data, chance = bytearray((shared / "made/theano105" / file).read_bytes()), random.Random(seed)
    if how == "cut":
        del data[chance.randrange(len(data)) :]
    elif how == "splice":
        at = chance.randrange(len(data))
        data[at:at] = chance.randbytes(chance.randint(1, 64))
    else:
        for _ in range(chance.randint(1, 20)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    source = work.new_folder()
    (source / file).write_bytes(data)
    (source / "lasagne_params.layers.json").write_text(json.dumps(LAYERS))
    form = "lasagne/npz" if file.endswith(".npz") else "theano/pickle"
    call = FRONTEND.import_call(Sniffed(form, "theano", file), ImportOptions())
    try:
        work(call, {"source": source})
    except (BadModel, Unsupported) as error:
        assert error.message


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    layers=st.recursive(
        st.none() | st.integers(-3, 10**12) | st.floats(allow_nan=False) | st.text(max_size=6),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
        max_leaves=12,
    ),
    kind=st.sampled_from(
        ["Conv2DLayer", "DenseLayer", "MaxPool2DLayer", "ReshapeLayer", "PadLayer", "DimshuffleLayer"]
    ),
)
def test_odd_descriptions(shared: Path, work: Any, layers: Any, kind: str) -> None:
    options = layers if isinstance(layers, dict) else {"num_filters": layers, "filter_size": layers, "shape": layers}
    source = work.source(shared / "made/theano105/lasagne_params.npz")
    text = json.dumps({"input": [None, 3, 12, 12], "layers": [{**options, "type": kind}]})
    (source / "lasagne_params.layers.json").write_text(text)
    call = FRONTEND.import_call(Sniffed("lasagne/npz", "theano", "lasagne_params.npz"), ImportOptions())
    with pytest.raises((BadModel, Unsupported)):
        work(call, {"source": source})

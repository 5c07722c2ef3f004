"""Every layer of Keras 3 and of tf_keras, made by them and compared with them: an output each."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported, UserError
from dlpipe.toolchains import Toolchains

from .conftest import FRONTEND, Import

TOLERANCE = 1e-5
SCRIPT = Path(__file__).with_name("layers.py")
KINDS = ("pictures", "first", "sequences", "vectors", "volumes", "merges", "nested")
MUTATED = ("made/tf221/keras_cnn.keras", "made/tf215/keras_rnn.h5", "models/hls4ml_examples/KERAS_3layer.json")


@pytest.fixture(scope="session")
def layers(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("keras-layers")
    python = toolchains.ensure("keras").python
    assert python is not None
    subprocess.run([python, "-W", "ignore", SCRIPT, out], check=True, timeout=600, capture_output=True)
    return out


@pytest.mark.parametrize("file", [f"{kind}_{version}" for kind in KINDS for version in ("2.h5", "3.keras")])
def test_layers(layers: Path, imported: Import, file: str) -> None:
    model = imported(layers / file)
    samples = model.samples(model.random_inputs())
    found, wanted = model.run(samples), model.reference(samples)
    assert list(found) == list(wanted)
    differences = {name: _difference(found[name], wanted[name]) for name in wanted}
    assert {name: value for name, value in differences.items() if value > TOLERANCE} == {}


def test_operators_in_an_old_file_of_keras_3(layers: Path, imported: Import) -> None:
    assert imported(layers / "operators_3.h5").worst() < TOLERANCE


def _difference(found: Any, wanted: Any) -> float:
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    return float(np.abs(found - wanted).max() / (np.ptp(wanted) or 1))


@pytest.mark.parametrize(
    ("file", "says", "node"),
    [
        ("custom.keras", "uses Own>Doubled, a class of the author's own", "mine"),
        ("deep.keras", "is a Lambda: it runs Python code", "lambda"),
        ("lookup.keras", "beside its weights|of type string|table", None),
        ("operator.h5", "no counterpart for the TensorFlow operator Lgamma", None),
    ],
)
def test_refusals(layers: Path, imported: Import, file: str, says: str, node: str | None) -> None:
    with pytest.raises(UserError, match=says) as caught:
        imported(layers / file)
    assert node is None or caught.value.where["node"] == node


def test_an_architecture_needs_its_weights(shared: Path, imported: Import) -> None:
    folder = shared / "models/hls4ml_examples"
    with pytest.raises(UserError, match="architecture without weights"):
        imported(folder / "KERAS_3layer.json")
    both = [folder / f"KERAS_3layer_{name}.h5" for name in ("weights", "70pruned_retrained_weights")]
    with pytest.raises(UserError, match="several files beside it may hold its weights"):
        imported(folder / "KERAS_3layer.json", *both)
    with pytest.raises(UserError, match="holds weights only"):
        imported(folder / "KERAS_3layer_weights.h5")
    with pytest.raises(UserError, match="Keras cannot load"):
        imported(folder / "KERAS_3layer.json", folder / "KERAS_conv1d_small_weights.h5")


@pytest.mark.slow
def test_coverage_is_found_by_converting(work: Any) -> None:
    _, value = work(FRONTEND.operators_call(), {})
    support = {name: each["support"] for name, each in value["operators"].items()}
    assert (support["Conv2D"], support["LSTM"], support["StringLookup"]) == ("full", "full", "none")
    assert list(support.values()).count("full") > 120
    assert "keras 3" in value["source"]


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=st.sampled_from(MUTATED), seed=st.integers(0, 2**32), how=st.sampled_from(["cut", "flip", "splice"]))
def test_damaged_files_end_in_a_refusal(shared: Path, work: Any, file: str, seed: int, how: str) -> None:
    path = shared / file
    data, chance = bytearray(path.read_bytes()), random.Random(seed)
    if how == "cut":
        del data[chance.randrange(len(data)) :]
    elif how == "splice":
        at = chance.randrange(len(data))
        data[at:at] = chance.randbytes(chance.randint(1, 64))
    else:
        for _ in range(chance.randint(1, 20)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    source = work.new_folder()
    (source / path.name).write_bytes(data)
    if path.suffix == ".json":
        shutil.copy(path.with_name("KERAS_3layer_weights.h5"), source)
    form = {".keras": "keras/zip", ".h5": "keras/hdf5"}.get(path.suffix, "keras/json")
    try:
        work(FRONTEND.import_call(Sniffed(form, "keras", path.name), ImportOptions()), {"source": source})
    except (BadModel, Unsupported) as error:
        assert error.message

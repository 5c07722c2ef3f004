"""What the frontend finds by itself, and what it refuses."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.errors import BadModel, UserError

from .conftest import FRONTEND, Import, worst

TOLERANCE = 1e-5


def test_it_is_a_frontend() -> None:
    assert isinstance(FRONTEND, Frontend)


def test_switches_of_training_get_their_inference_value(made: Path, imported: Import) -> None:
    model = imported(made / "dropout.pb")
    assert [port.name for port in model.contract.inputs] == ["x"]
    assert model.contract.metadata["settings"] == {"keep_prob:0": 1.0, "is_training:0": False}
    assert any("keep_prob is fixed to 1.0" in note for note in model.notes)
    assert model.worst(model.samples(model.random_inputs())) <= TOLERANCE


@pytest.mark.parametrize("name", ["picture.pb", "saved_png"])
def test_pictures(made: Path, imported: Import, tmp_path: Path, data: Callable[..., Path], name: str) -> None:
    """A decoder gives any size: the cut moves down behind the resize."""
    model = imported(made / name)
    (part,) = model.contract.preprocessing
    assert part.accepts == "image"
    (port,) = model.contract.inputs
    assert (port.dtype, port.shape) == ("float32", (1, 8, 8, 3))
    files = [tmp_path / f"{size}.png" for size in (5, 8, 31)]
    for file in files:
        file.write_bytes(_png(int(file.stem)))
    pictures = data(*files)
    samples = model.preprocessed(pictures)
    assert worst(model.run(samples), model.end_to_end(pictures)) <= TOLERANCE
    assert model.worst(samples) <= TOLERANCE


def test_names_are_simple_and_remember_theirs(made: Path, imported: Import) -> None:
    model = imported(made / "gelu.pb")
    assert [(port.name, port.source) for port in model.contract.inputs] == [("some_scope_x", "some/scope/x:0")]
    assert [(port.name, port.source) for port in model.contract.outputs] == [("some_scope_y", "some/scope/y:0")]
    assert model.worst(model.samples(model.random_inputs())) <= TOLERANCE


def test_several_outputs_and_doubles(made: Path, imported: Import) -> None:
    model = imported(made / "two_outputs.pb")
    ports = {port.name: (port.dtype, port.shape) for port in model.contract.outputs}
    assert ports == {"best": ("float32", (3, 2)), "best.1": ("int32", (3, 2)), "total": ("float64", ())}
    assert model.contract.inputs[0].dtype == "float64"
    assert model.worst(model.samples(model.random_inputs())) <= TOLERANCE


def test_outputs_can_be_chosen(made: Path, imported: Import) -> None:
    assert [port.name for port in imported(made / "two_outputs.pb", outputs=("best:1",)).contract.outputs] == ["best.1"]
    with pytest.raises(UserError, match="no node for the output 'bset'") as caught:
        imported(made / "two_outputs.pb", outputs=("bset",))
    assert "best" in (caught.value.hint or "")


def test_a_batch_of_one_where_the_graph_takes_no_other(made: Path, imported: Import) -> None:
    model = imported(made / "one_at_a_time.pb")
    assert model.contract.inputs[0].shape == (1, 4)
    assert model.worst(model.samples(model.random_inputs())) <= TOLERANCE


def test_shapes_from_the_user(made: Path, imported: Import) -> None:
    with pytest.raises(UserError, match="does not say what shape") as caught:
        imported(made / "no_shape.pb")
    assert "--input x:" in (caught.value.hint or "")
    model = imported(made / "no_shape.pb", inputs={"x": {"shape": [2, 3]}})
    assert model.contract.outputs[0].shape == (2, 3)
    assert model.worst(model.samples(model.random_inputs())) <= TOLERANCE


def test_free_dims(made: Path, imported: Import) -> None:
    model = imported(made / "free_length.pb")
    assert model.contract.inputs[0].shape == ("N", "x_1", 4)
    assert model.contract.outputs[0].shape == ("N", 4)
    assert imported(made / "free_length.pb", dims={"x_1": 7}).contract.inputs[0].shape == ("N", 7, 4)
    with pytest.raises(UserError, match="no free dim y: its free dims are N, x_1"):
        imported(made / "free_length.pb", dims={"y": 7})


def test_saved_model_of_tensorflow_1(made: Path, imported: Import) -> None:
    model = imported(made / "saved_tf1")
    assert [port.name for port in (*model.contract.inputs, *model.contract.outputs)] == ["in", "out"]
    assert model.worst(model.samples(model.random_inputs())) <= TOLERANCE


@pytest.mark.parametrize(
    ("name", "says", "where"),
    [
        ("unsupported", "no counterpart for the TensorFlow operator Lgamma", {"op": "Lgamma", "node": "layer/gamma"}),
        ("all_preprocessing", "the whole graph is preprocessing", {"op": "DecodeWav"}),
        ("huge_input", "no machine holds that", {"node": "x"}),
        ("huge_inside", "no machine holds that", {}),
        ("unfrozen", "not frozen: node v is a VariableV2", {"node": "v"}),
        ("string_out", "whole graph is preprocessing|of type string", {}),
        ("cyclic", "cyclic: node", {}),
        ("dangling", "reads from 'nowhere', which is not in the graph", {"node": "y"}),
        ("pyfunc", "runs Python code", {"op": "PyFunc", "node": "evil"}),
        ("custom_op", "which TensorFlow does not have", {"op": "MyCompany>FastThing", "node": "mine"}),
        ("bomb", "claims the shape", {"node": "c"}),
        ("short_weights", "the file is damaged", {"node": "c"}),
        ("circle", "call each other in a circle: f", {}),
    ],
)
def test_refusals(made: Path, imported: Import, name: str, says: str, where: dict[str, str]) -> None:
    with pytest.raises(UserError, match=says) as caught:
        imported(made / f"{name}.pb")
    assert {key: caught.value.where.get(key) for key in where} == where


def test_damaged_saved_models(made: Path, shared: Path, work: Any) -> None:
    """Without signature, variables, or half of its graph."""
    sniffed = Sniffed("tensorflow/saved-model", "tensorflow", ".")
    call = FRONTEND.import_call(sniffed, ImportOptions())
    with pytest.raises(UserError, match="no signature"):
        work(call, {"source": work.source(made / "saved_unsigned")})
    whole = (shared / "made/tf221/savedmodel_cnn/saved_model.pb").read_bytes()
    with pytest.raises(BadModel) as caught:
        work(call, {"source": work.source(saved_model_pb=whole)})
    assert "variables/" in (caught.value.hint or "")
    with pytest.raises(BadModel):
        work(call, {"source": work.source(shared / "made/tf221/savedmodel_cnn", saved_model_pb=whole[:5000])})
    weights = work.source(shared / "made/tf221/savedmodel_cnn")
    (file,) = weights.glob("variables/*.data*")
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(BadModel):
        work(call, {"source": weights})


@pytest.mark.slow
def test_mutated_graphs_end_in_a_model_or_a_clear_refusal(made: Path, imported: Import, tmp_path: Path) -> None:
    whole = (made / "gelu.pb").read_bytes()
    chance = random.Random(5)
    for number in range(60):
        data = bytearray(whole)
        if number % 2:
            del data[chance.randrange(len(data)) :]
        else:
            for _ in range(chance.randint(1, 6)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        path = tmp_path / "model.pb"
        path.write_bytes(data)
        try:
            assert imported(path).contract.outputs
        except UserError as error:
            assert error.message


def _png(size: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    chance = random.Random(size)
    rows = b"".join(b"\0" + chance.randbytes(3 * size) for _ in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", ["dropout.pb", "saved_tf1", "two_outputs.pb", "loop_until.pb", "saved_png"])
def test_what_its_operators_give(made: Path, imported: Import, name: str) -> None:
    """The outputs are among it, as the original gives them."""
    model = imported(made / name)
    samples = model.samples(model.random_inputs(2))
    names, layers = model.layers(samples)
    assert len(names) == len(layers) > 1
    for port, output in model.reference(samples).items():
        assert output.dtype.kind != "f" or any(np.array_equal(each, output[0]) for each in layers.values()), port

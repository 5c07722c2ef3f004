from __future__ import annotations

import json

import numpy as np
import pytest

from dlpipe.errors import BadModel, Unsupported
from dlpipe.ir.calls import describe_call
from dlpipe.passes.registry import pass_call
from tests.passes.training.conftest import write_samples

LEARN = {"epochs": 6, "hard": 1.0, "soft": 0.0, "rate": 5e-3, "batch": 32}


@pytest.fixture(scope="module")
def learned(bench, net, quadrants):
    return bench.run(pass_call("fine-tune", **LEARN), ir=net, train=quadrants)


def test_it_learns(learned, net, quadrants, accuracy):
    value, out = learned
    assert accuracy(net, quadrants) < 0.5
    assert accuracy(out, quadrants) > 0.95
    assert value["modified"]
    assert value["nodes_before"] == value["nodes_after"]
    assert value["trained_values"] == 8 * 9 + 8 + 16 * 72 + 16 + 64 + 4
    assert value["history"][-1]["held-out/accuracy"] > 0.9


def test_the_structure_is_untouched(learned, net, bench):
    before, after = (bench.run(describe_call(), ir=each)[0] for each in (net, learned[1]))
    assert before["nodes"] == after["nodes"]
    assert (learned[1] / "contract.json").read_bytes() == (net / "contract.json").read_bytes()


def test_tensorboard_files_are_beside_the_model(learned):
    (events,) = (learned[1] / "training" / "1-fine-tune").iterdir()
    assert b"held-out/accuracy" in events.read_bytes()


def test_the_same_seed_gives_the_same_weights(learned, bench, net, quadrants):
    _, again = bench.run(pass_call("fine-tune", **LEARN), ir=net, train=quadrants)
    _, other = bench.run(pass_call("fine-tune", **{**LEARN, "seed": 1}), ir=net, train=quadrants)
    assert (again / "model.onnx").read_bytes() == (learned[1] / "model.onnx").read_bytes()
    assert (other / "model.onnx").read_bytes() != (learned[1] / "model.onnx").read_bytes()


def test_a_teacher_without_labels(learned, bench, net, quadrants, accuracy, tmp_path):
    with np.load(quadrants / "samples.npz") as archive:
        unlabelled = write_samples(tmp_path / "unlabelled", {"x": archive["x"]}, None)
    call = pass_call("fine-tune", **{**LEARN, "soft": 1.0})
    value, out = bench.run(call, ir=net, train=unlabelled, teacher=learned[1])
    assert accuracy(out, quadrants) > 0.9
    assert "held-out/accuracy" not in value["history"][0]


def test_a_student_of_the_users_own(learned, bench, quadrants, accuracy, tmp_path):
    """Another network with other names, a single number for each class, and a free batch."""
    body = """(float[N,1,8,8] picture) => (float[N,4] scores) {
        flat = Flatten(picture)  h = Gemm(flat, w, b)  r = Relu(h)  scores = Gemm(r, v, c)
    }"""
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {body}'
    weights = {"w": [64, 32], "b": [32], "v": [32, 4], "c": [4]}
    student = bench.make_ir(bench.build(text, weights=weights, scale=0.2))
    with np.load(quadrants / "samples.npz") as archive:
        unlabelled = write_samples(tmp_path / "unlabelled", {"x": archive["x"]}, None)
        own = write_samples(
            tmp_path / "own", {"picture": archive["x"]}, json.loads((quadrants / "labels.json").read_text())["labels"]
        )
    call = pass_call("fine-tune", **{**LEARN, "soft": 1.0, "epochs": 10})
    _, out = bench.run(call, ir=student, train=unlabelled, teacher=learned[1])
    assert accuracy(student, own) < 0.5
    assert accuracy(out, own) > 0.9


def test_features_and_attention(learned, bench, net, quadrants):
    call = pass_call("fine-tune", **{**LEARN, "epochs": 1, "soft": 1.0, "feature_weight": 1.0, "attention_weight": 1.0})
    _, out = bench.run(call, ir=net, train=quadrants, teacher=learned[1])
    events = next((out / "training" / "1-fine-tune").iterdir()).read_bytes()
    assert b"loss/features" in events
    assert b"loss/attention" in events


def test_zeros_are_kept(bench, learned, quadrants):
    call = pass_call("fine-tune", **{**LEARN, "epochs": 1, "keep_zeros": True})
    sparse = bench.run(pass_call("prune-weights", sparsity=0.5), ir=learned[1])[1]
    _, out = bench.run(call, ir=sparse, train=quadrants)
    before, after = (bench.tool("zeros", inputs={"ir": each})[0] for each in (sparse, out))
    assert before["w2"] > 0.3
    assert sorted(folder.name for folder in (out / "training").iterdir()) == ["1-fine-tune", "2-fine-tune"]
    assert after == before


def test_frozen_weights_stay(bench, net, quadrants):
    value, _ = bench.run(
        pass_call("fine-tune", **{**LEARN, "epochs": 1, "freeze": ["w1", "b?"]}), ir=net, train=quadrants
    )
    assert value["changes"] == [f"2 tensors of weights trained for {value['steps']} steps"]
    assert value["trained_values"] == 16 * 72 + 64


def test_what_it_refuses(bench, net, quadrants, tmp_path):
    def attempt(train=quadrants, ir=net, **params):
        bench.run(pass_call("fine-tune", **params), ir=ir, train=train)

    with pytest.raises(Unsupported, match="optimizer='adam' is not one of adamw, sgd"):
        attempt(optimizer="adam")
    with pytest.raises(Unsupported, match="no weight of the model can be trained"):
        attempt(freeze=["*"])
    with pytest.raises(Unsupported, match="the loss is nan at step"):
        attempt(rate=1e30)
    x = np.zeros((4, 1, 1, 8, 8), np.float32)
    with pytest.raises(BadModel, match="the model wants \\['x'\\] too"):
        attempt(write_samples(tmp_path / "a", {"z": x, "q": x}, None))
    with pytest.raises(BadModel, match="4 samples and 3 labels"):
        attempt(write_samples(tmp_path / "b", {"x": x}, [1, 2, 3]))
    with pytest.raises(Unsupported, match="the labels count 8 classes"):
        attempt(write_samples(tmp_path / "c", {"x": x}, [1, 2, 3, 7]))
    with pytest.raises(BadModel, match="nothing to train for"):
        attempt(write_samples(tmp_path / "d", {"x": x}, None), soft=0.0)
    with pytest.raises(BadModel, match="shape \\[1, 1, 8, 7\\], and the model takes \\[1, 1, 8, 8\\]"):
        attempt(write_samples(tmp_path / "e", {"x": x[..., :7]}, [1, 2, 3, 0]))
    with pytest.raises(BadModel, match="are int64, and the model takes float32"):
        attempt(write_samples(tmp_path / "f", {"x": x.astype(np.int64)}, [1, 2, 3, 0]))
    with pytest.raises(Unsupported, match="batch='64' is not a number"):
        attempt(batch="64")
    with pytest.raises(Unsupported, match="nothing to do"):
        attempt(epochs=0)
    with pytest.raises(Unsupported, match="too few for 9 processes"):
        attempt(write_samples(tmp_path / "g", {"x": x}, [1, 2, 3, 0]), processes=9)
    y = np.concatenate([x, np.full((1, 1, 1, 8, 8), np.nan, np.float32)])
    with pytest.raises(BadModel, match="sample 4 is not a number \\(NaN\\) in 'x'"):
        attempt(write_samples(tmp_path / "h", {"x": y}, [1, 2, 3, 0, 1]), holdout=0.5)
    (tmp_path / "h" / "labels.json").write_text(json.dumps({"labels": [1] * 5, "items": [*"abcd", "cats/5.png"]}))
    with pytest.raises(BadModel, match="cats/5.png is not a number"):
        attempt(tmp_path / "h")
    half = bench.run(pass_call("fp16"), ir=net)[1]
    with pytest.raises(Unsupported, match="only float32 is trained"):
        attempt(ir=half)


def test_a_model_without_a_batch_axis(bench, tmp_path):
    """Its samples cannot be put together along the first axis; torch maps the graph over them."""
    body = """(float[1,6,3] x) => (float[2] y) {
        s = Squeeze(x, zero)  h = MatMul(s, w)  r = Relu(h)  m = ReduceMax<keepdims=0>(r, zero)  y = MatMul(m, v)
    }"""
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {body}'
    ir = bench.make_ir(bench.build(text, weights={"w": [3, 8], "v": [8, 2]}, ints={"zero": [0]}))
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 1, 6, 3)).astype(np.float32)
    labels = (x[:, 0, :, 1].max(1) > x[:, 0, :, 0].max(1)).astype(int).tolist()
    train = write_samples(tmp_path / "sets", {"x": x}, labels)
    value, _ = bench.run(pass_call("fine-tune", **{**LEARN, "epochs": 20, "rate": 3e-2}), ir=ir, train=train)
    assert value["history"][-1]["held-out/accuracy"] > 0.9


def test_two_classes_in_one_number(bench, tmp_path):
    body = "(float[N,3] x) => (float[N,1] y) { g = Gemm(x, w, b) y = Sigmoid(g) }"
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {body}'
    ir = bench.make_ir(bench.build(text, weights={"w": [3, 1], "b": [1]}))
    x = np.random.default_rng(0).normal(size=(500, 1, 3)).astype(np.float64)
    labels = (x[:, 0, 0] > x[:, 0, 1]).astype(int).tolist()
    train = write_samples(tmp_path / "two", {"x": x}, labels)
    value, _ = bench.run(pass_call("fine-tune", epochs=20, hard=1.0, soft=0.0, rate=0.05), ir=ir, train=train)
    assert value["history"][-1]["held-out/accuracy"] > 0.95


def test_a_budget_of_time(bench, net, quadrants):
    value, _ = bench.run(pass_call("fine-tune", **{**LEARN, "minutes": 0.05}), ir=net, train=quadrants)
    assert 2.5 < value["seconds"] < 10
    assert value["history"][-1]["step"] == value["steps"] > 10


def test_early_stopping(bench, net, quadrants):
    call = pass_call("fine-tune", **{**LEARN, "epochs": 20, "patience": 4, "rate": 0.0})
    value, _ = bench.run(call, ir=net, train=quadrants)
    assert value["steps"] == 4 * 16
    assert not value["modified"]


def test_regression(bench, tmp_path):
    text = '<ir_version: 8, opset_import: ["" : 18]> g (float[N,3] x) => (float[N,1] y) { y = Gemm(x, w, b) }'
    ir = bench.make_ir(bench.build(text, weights={"w": [3, 1], "b": [1]}))
    x = np.random.default_rng(0).normal(size=(500, 1, 3)).astype(np.float32)
    wanted = (x[:, 0] @ [1.0, -2.0, 0.5] + 0.25).tolist()
    train = write_samples(tmp_path / "numbers", {"x": x}, wanted)
    call = pass_call("fine-tune", epochs=30, hard=1.0, soft=0.0, rate=0.05, weight_decay=0.0)
    _, out = bench.run(call, ir=ir, train=train)
    assert np.abs(bench.outputs(out, train)["y"].reshape(-1) - wanted).max() < 0.01
    assert json.loads((out / "contract.json").read_text())["inputs"][0]["shape"][0] == "N"


def test_a_teacher_of_numbers_beside_labels(bench, tmp_path):
    """Labels say which output is meant; that they are numbers must not make the teacher's answers classes."""
    text = '<ir_version: 8, opset_import: ["" : 18]> g (float[N,3] x) => (float[N,1] y) { y = Gemm(x, w, b) }'
    student, teacher = (bench.make_ir(bench.build(text, weights={"w": [3, 1], "b": [1]}, seed=seed)) for seed in (1, 2))
    x = np.random.default_rng(0).normal(size=(500, 1, 3)).astype(np.float32)
    train = write_samples(tmp_path / "numbers", {"x": x}, (x[:, 0] @ [1.0, -2.0, 0.5]).tolist())
    call = pass_call("fine-tune", epochs=30, hard=0.0, soft=1.0, rate=0.05, weight_decay=0.0)
    _, out = bench.run(call, ir=student, train=train, teacher=teacher)
    wanted = bench.outputs(teacher, train)["y"]
    assert np.abs(bench.outputs(student, train)["y"] - wanted).max() > 0.1
    assert np.abs(bench.outputs(out, train)["y"] - wanted).max() < 0.02

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from dlpipe.errors import Unsupported
from dlpipe.passes.recipes import recipe
from dlpipe.passes.registry import made_up_data_call, pass_call
from dlpipe.pipeline.compress.compress import compress
from dlpipe.pipeline.compress.request import CompressRequest
from dlpipe.pipeline.session import Session
from tests.passes.training.conftest import write_samples

NORMED = """(float[N,1,8,8] x) => (float[N,4] y) {
    a = Conv<pads=[1,1,1,1]>(x, w1)  n = BatchNormalization(a, s, b, m, v_positive)  r = Relu(n)
    c = Conv<pads=[1,1,1,1]>(r, w2)  k = BatchNormalization(c, s2, b2, m2, v2_positive)  t = Relu(k)
    q = AveragePool<kernel_shape=[4,4], strides=[4,4]>(t)  f = Flatten(q)  y = Gemm(f, w3, b3)
}"""
WEIGHTS = {"w1": [8, 1, 3, 3], "s": [8], "b": [8], "m": [8], "v_positive": [8], "w2": [16, 8, 3, 3], "s2": [16]}
WEIGHTS |= {"b2": [16], "m2": [16], "v2_positive": [16], "w3": [64, 4], "b3": [4]}


@pytest.fixture(scope="module")
def bright(quadrants, tmp_path_factory):
    """The pictures in a range that nobody would guess."""
    with np.load(quadrants / "samples.npz") as archive:
        pictures = {"x": 4 * archive["x"] + 12}
    labels = json.loads((quadrants / "labels.json").read_text())["labels"]
    return write_samples(tmp_path_factory.mktemp("bright"), pictures, labels)


@pytest.fixture(scope="module")
def teacher(bench, bright):
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {NORMED}'
    ir = bench.make_ir(bench.build(text, weights=WEIGHTS, scale=0.5))
    call = pass_call("fine-tune", epochs=8, hard=1.0, soft=0.0, rate=5e-3, batch=32, norm="batch")
    return bench.run(call, ir=ir, train=bright)[1]


@pytest.fixture(scope="module")
def made_up(bench, teacher):
    return bench.run(made_up_data_call(256, batch=64, steps=200), ir=teacher)


def test_statistics_come_near_to_those_that_are_stored(made_up):
    value, out = made_up
    assert value["distance"] < 0.2 * value["noise_distance"]
    with np.load(out / "samples.npz") as archive:
        assert archive["x"].shape == (256, 1, 1, 8, 8)
        assert archive["x"].dtype == np.float32


def test_a_student_learns_from_them_what_noise_does_not_teach(bench, teacher, made_up, bright, accuracy, tmp_path):
    student = bench.run(pass_call("prune-weights", sparsity=0.9), ir=teacher)[1]
    call = pass_call("fine-tune", epochs=30, soft=1.0, rate=3e-3, batch=32, keep_zeros=True, norm="frozen")
    noise = np.random.default_rng(0).normal(size=(256, 1, 1, 8, 8)).astype(np.float32)
    folders = {"made up": made_up[1], "noise": write_samples(tmp_path / "noise", {"x": noise}, None)}
    found = {
        name: accuracy(bench.run(call, ir=student, train=folder, teacher=teacher)[1], bright)
        for name, folder in folders.items()
    }
    assert accuracy(teacher, bright) > 0.95
    assert found["made up"] > accuracy(student, bright)
    assert found["made up"] > found["noise"] + 0.1
    assert found["made up"] > 0.7


def test_without_batch_norms_it_is_refused(bench, teacher, net):
    with pytest.raises(Unsupported, match="no batch norms"):
        bench.run(made_up_data_call(8), ir=net)
    folded = bench.run(pass_call("fold-batchnorm"), ir=teacher)[1]
    with pytest.raises(Unsupported, match="no batch norms"):
        bench.run(made_up_data_call(8), ir=folded)


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 128])
def test_compress_calibrates_on_them_where_there_are_no_data(
    bench, teacher, bright, accuracy, tmp_path, toolchains, monkeypatch, count
):
    """On generated inputs the pictures are outside every range that was found."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "toolchains").symlink_to(toolchains.root)
    monkeypatch.setenv("DLPIPE_CACHE_DIR", str(tmp_path / "cache"))
    shutil.copy(teacher / "model.onnx", tmp_path / "teacher.onnx")
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "model.onnx"
    with Session() as session:
        request = CompressRequest(str(tmp_path / "teacher.onnx"), out, recipes=(recipe("int8"),), made_up=count)
        report = compress(session, request).report
    assert report.tried[0].verdict == "meets", report.tried[0].reason
    lost = accuracy(teacher, bright) - accuracy(bench.make_ir(tmp_path / "out"), bright)
    assert lost < 0.02 if count else lost > 0.1
    assert {part.source for part in report.parts} == {"made up from batch norms" if count else "generated"}

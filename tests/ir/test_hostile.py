"""Damaged and hostile files are refused with a reason; none of them hangs or reaches outside its folder."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.errors import BadModel, UserError
from dlpipe.ir.calls import check_call, import_call

HEAD = '<ir_version: 8, opset_import: ["" : 18]>'
ADD = HEAD + "g (float[2] x) => (float[2] y) { y = Add(x, w) }"


def refused(bench, text, **params) -> BadModel:
    source = bench.build(text, **params)
    with pytest.raises(BadModel) as caught:
        bench.make_ir(source)
    return caught.value


def test_cycle(bench):
    error = refused(bench, HEAD + "g (float[2] x) => (float[2] y) { a = Add(x, b)  b = Relu(a)  y = Relu(b) }")
    assert "cycle" in error.message
    assert error.where["op"] in ("Add", "Relu")


def test_name_made_twice(bench):
    error = refused(bench, HEAD + "g (float[2] x) => (float[2] y) { y = Relu(x)  y = Abs(x) }")
    assert "y" in error.message


def test_name_that_nothing_makes(bench):
    assert "nowhere" in refused(bench, HEAD + "g (float[2] x) => (float[2] y) { y = Add(x, nowhere) }").message


def test_shapes_that_disagree(bench):
    error = refused(bench, HEAD + "g (float[2,3] x) => (float[2,5] y) { y = MatMul(x, w) }", weights={"w": [4, 5]})
    assert error.where["op"] == "MatMul"


def test_shape_bomb(bench):
    text = HEAD + "g (float[1] x) => (float[50000,60000] y) { c = ConstantOfShape(s)  y = Add(c, x) }"
    error = refused(bench, text, ints={"s": [50000, 60000]})
    assert "12000000000 bytes" in error.message
    assert error.where["op"] == "ConstantOfShape"


def test_tensor_that_holds_less_than_it_declares(bench):
    text = HEAD + "g (float[2] x) => (float[2] y) <float[4000000000] w = {1.0}> { y = Add(x, x) }"
    assert "declares" in refused(bench, text).message


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname", "sub/../../weights.bin", ""])
def test_weights_outside_the_folder(bench, location):
    error = refused(bench, ADD, weights={"w": [2]}, external={"w": location})
    assert "outside the model's folder" in error.message


def test_weights_file_is_missing_or_short(bench):
    error = refused(bench, ADD, weights={"w": [2]}, external={"w": "nothing.bin"})
    assert "nothing.bin" in error.message
    source = bench.build(ADD, weights={"w": [2]}, external={"w": "weights.bin"})
    (source / "weights.bin").write_bytes(b"1234")
    with pytest.raises(BadModel, match="outside the file"):
        bench.make_ir(source)


def test_external_weights_are_taken_along(bench):
    ir = bench.make_ir(bench.build(ADD, weights={"w": [2]}, external={"w": "weights.bin"}))
    assert bench.run(check_call(), ir=ir)[0] == {"valid": True, "nodes": 1}
    assert not (ir / "weights.bin").exists()


def test_external_weights_with_a_further_hard_link(bench, tmp_path):
    """As the store lays them out for a worker."""
    source = bench.build(ADD, weights={"w": [2]}, external={"w": "weights.bin"})
    (tmp_path / "link").hardlink_to(source / "weights.bin")
    with bench.pool.worker("core") as worker:
        place = worker.place()
        (place.inputs / "source").mkdir()
        for file in source.iterdir():
            (place.inputs / "source" / file.name).hardlink_to(file)
        assert worker.call(import_call("model.onnx"), place)["inputs"][0]["name"] == "x"
        assert sorted(each.name for each in place.out.iterdir()) == ["contract.json", "model.onnx"]


def test_a_format_version_that_no_runtime_reads_yet(bench):
    text = '<ir_version: 14, opset_import: ["" : 18]> g (float[2] x) => (float[2] y) { y = Relu(x) }'
    ir = bench.make_ir(bench.build(text))
    assert bench.outputs(ir, bench.samples(ir))["y"].shape == (3, 2)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(cut=st.floats(0, 0.999), flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4))
def test_mutated_real_file(bench, shared, tmp_path, cut, flips):
    """Truncated anywhere or with bytes changed: refused, or a valid model; never anything else."""
    source = tmp_path / "source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    data = bytearray((shared / "models/yunet/yunet_n_320_320.onnx").read_bytes())
    for place, value in flips:
        data[int(place * len(data))] = value
    if not flips:
        data = data[: int(cut * len(data))]
    (source / "model.onnx").write_bytes(data)
    try:
        _, ir = bench.run(import_call("model.onnx"), source=source)
    except UserError:
        return
    assert bench.run(check_call(), ir=ir)[0]["valid"]

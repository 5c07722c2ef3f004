from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from dlpipe.errors import BadModel, UserError
from dlpipe.ir.calls import generate_call, import_call, run_call, time_call

HEAD = '<ir_version: 8, opset_import: ["" : 18]>'
LOOKUP = (
    HEAD
    + """g (int64[N,5] ids, uint8[N,2] u, bool[1] flag, float s) => (float[N,5,3] y) {
    c = Cast<to=7>(ids)
    e = Gather(table, c)
    y = Mul(e, s)
}"""
)


def arrays(folder):
    with np.load(folder / "samples.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def test_generated_inputs_follow_type_shape_and_table(bench):
    ir = bench.make_ir(bench.build(LOOKUP, weights={"table": [11, 3]}))
    value, out = bench.run(generate_call(64, 3, {"N": 4}), ir=ir)
    made = arrays(out)
    assert value == {"count": 64, "labelled": False, "dims": {"N": 4}}
    assert made["ids"].shape == (64, 4, 5)
    assert made["ids"].dtype == np.int64
    assert (made["ids"].min(), made["ids"].max()) == (0, 10)
    assert made["u"].max() > 200
    assert made["flag"].dtype == np.bool_
    assert made["s"].shape == (64,)
    _, again = bench.run(generate_call(64, 3, {"N": 4}), ir=ir)
    assert (out / "samples.npz").read_bytes() == (again / "samples.npz").read_bytes()


def test_inputs_for_an_artifact_follow_its_contract(bench, tmp_path):
    ir = bench.make_ir(bench.build(LOOKUP, weights={"table": [11, 3]}))
    shutil.copyfile(ir / "contract.json", tmp_path / "contract.json")
    value, out = bench.run(generate_call(8, 3, {"N": 4}), ir=tmp_path)
    made = arrays(out)
    assert value == {"count": 8, "labelled": False, "dims": {"N": 4}}
    assert (made["ids"].shape, made["ids"].dtype) == ((8, 4, 5), np.int64)
    assert (made["ids"].min(), made["ids"].max()) == (0, 1)


HALVED = """g (float[B,3,H,W] x) => (float[B,3,P,Q] y) {
    small = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(x)
    scales = Constant<value_floats = [1.0, 1.0, 2.0, 2.0]>()
    large = Resize<mode = "nearest">(small, , scales)
    y = Add(x, large)
}"""
WINDOW = "g (float[B,1,L] x) => (float[B,1,M] y) { y = Conv(x, w) }"
CHANNELS_LAST = "g (float[B,H,W,3] x, float[B,T] z) => (float[B,H,W,3] y, float[B,T] v) { y = Abs(x) v = Abs(z) }"


@pytest.mark.parametrize(
    ("text", "weights", "dims"),
    [
        (HALVED, {}, {"B": 1, "H": 64, "W": 64}),
        (WINDOW, {"w": [1, 1, 100]}, {"B": 1, "L": 128}),
        (WINDOW, {"w": [1, 1, 20_000]}, {"B": 1, "L": 1}),  # none of the usual sizes suits
        (CHANNELS_LAST, {}, {"B": 1, "H": 64, "W": 64, "T": 8}),
    ],
)
def test_free_dims_become_sizes_with_which_the_model_runs(bench, text, weights, dims):
    ir = bench.make_ir(bench.build(HEAD + text, weights=weights))
    value, _ = bench.run(generate_call(2, 3, {}), ir=ir)
    assert value["dims"] == dims


def test_a_number_that_the_graph_asks_for_is_given(bench):
    text = (
        HEAD
        + """g (int64 rate, float[2] x) => (float[2] y) {
        wanted = Constant<value_int=16000>()
        same = Equal(rate, wanted)
        y = Where(same, x, x)
    }"""
    )
    ir = bench.make_ir(bench.build(text))
    assert set(arrays(bench.samples(ir))["rate"].tolist()) == {16000}


def test_run_gives_what_numpy_gives(bench):
    ir = bench.make_ir(
        bench.build(HEAD + "g (float[2,4] x) => (float[2,3] y) { y = MatMul(x, w) }", weights={"w": [4, 3]})
    )
    weight = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    samples = bench.samples(ir)
    np.testing.assert_allclose(bench.outputs(ir, samples)["y"], arrays(samples)["x"] @ weight, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimisation", ["none", "basic", "extended", "all"])
def test_levels_of_optimisation_agree(bench, shared, optimisation):
    ir = bench.make_ir(shared / "models/ultraface", "version-RFB-320.onnx")
    samples = bench.samples(ir, 1)
    value, out = bench.run(run_call(optimisation=optimisation), ir=ir, samples=samples)
    assert value == {"tool": "onnxruntime 1.31.1", "samples": 1}
    with np.load(out / "outputs.npz", allow_pickle=False) as archive:
        np.testing.assert_allclose(archive["scores"], bench.outputs(ir, samples)["scores"], atol=1e-5)


def test_eight_bit_products_are_summed_as_they_are_written(bench):
    """x86 kernels without VNNI sum pairs of products in 16 bits, where these would saturate."""
    weights = ", ".join(["127"] * 64)
    text = (
        HEAD
        + f"""g (float[1,32] x) => (float[1,2] y)
        <float scale = {{0.001}}, uint8 low = {{0}}, int8 zero = {{0}}, float of_y = {{0.01}},
         int8[32,2] w = {{{weights}}}> {{
        q = QuantizeLinear(x, scale, low)
        a = DequantizeLinear(q, scale, low)
        b = DequantizeLinear(w, scale, zero)
        z = MatMul(a, b)
        r = QuantizeLinear(z, of_y, low)
        y = DequantizeLinear(r, of_y, low)
    }}"""
    )
    ir = bench.make_ir(bench.build(text))
    samples = bench.samples(ir)
    rounded = np.clip(np.rint(arrays(samples)["x"] / 0.001), 0, 255) * 0.001
    found = bench.outputs(ir, samples)["y"]
    np.testing.assert_allclose(found, rounded @ np.full((32, 2), 0.127), atol=0.0051)


def test_samples_must_fit(bench):
    text = HEAD + "g (float[2] {}) => (float[2] y) {{ y = Relu({}) }}"
    one, other = (bench.make_ir(bench.build(text.format(name, name))) for name in ("a", "b"))
    with pytest.raises(BadModel, match="wants"):
        bench.run(run_call(), ir=one, samples=bench.samples(other))


def test_timing_keeps_the_session(bench):
    ir = bench.make_ir(bench.build(HEAD + "g (float[2] x) => (float[2] y) { y = Relu(x) }"))
    samples = bench.samples(ir)
    call = time_call()
    call = replace(call, params={**call.params, "handle": "test", "warmup": 1, "runs": 5})
    first, _ = bench.run(call, ir=ir, samples=samples)
    second, _ = bench.run(call, ir=ir, samples=samples)
    assert len(first["seconds"]) == 5
    assert first["first_seconds"] > 0
    assert second["first_seconds"] is None
    assert second["load_seconds"] == first["load_seconds"]
    assert first["peak_rss"] > 10_000_000


def test_old_file_without_names_and_with_weights_among_inputs(bench):
    text = """<ir_version: 3, opset_import: ["" : 9]>
    g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1.0, 2.0}> { t = Add(x, w)  y = Relu(t) }"""
    value, ir = bench.run(import_call("."), source=bench.build(text))
    assert [port["name"] for port in value["inputs"]] == ["x"]
    assert bench.outputs(ir, bench.samples(ir))["y"].shape == (3, 2)


def test_folder_must_hold_one_model(bench, tmp_path):
    with pytest.raises(UserError, match="file is wanted"):
        bench.make_ir(tmp_path, ".")

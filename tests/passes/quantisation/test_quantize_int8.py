from __future__ import annotations

import numpy as np
import pytest

from dlpipe.errors import BadModel, Unsupported
from dlpipe.ir.calls import describe_call
from dlpipe.passes.registry import pass_call

DEPTHWISE = """(float[1,1,10,10] x) => (float[1,5] y) {
    a = Conv<pads=[1,1,1,1]>(x, w1, b1)  r1 = Relu(a)
    d = Conv<pads=[1,1,1,1], group=8>(r1, w2)  r2 = Relu(d)
    p = Conv(r2, w3)  r3 = Relu(p)
    m = GlobalAveragePool(r3)  f = Flatten(m)  g = Gemm(f, w4, b4)  y = Softmax(g)
}"""
DEPTHWISE_WEIGHTS = {"w1": [8, 1, 3, 3], "b1": [8], "w2": [8, 1, 3, 3], "w3": [6, 8, 1, 1], "w4": [6, 5], "b4": [5]}
DENSE = """(float[4,20] x) => (float[4,6] y) {
    a = MatMul(x, w1)  s = Add(a, b1)  r = Relu(s)  y = Gemm(r, w2, b2)
}"""
DENSE_WEIGHTS = {"w1": [20, 40], "b1": [40], "w2": [40, 6], "b2": [6]}
RECURRENT = """(float[7,1,4] x) => (float[1,3] y) {
    h, hl = LSTM<hidden_size=6>(x, w, r)  s = Squeeze(hl, axes)  y = Gemm(s, v, b)
}"""
RECURRENT_BUILD = {"weights": {"w": [1, 24, 4], "r": [1, 24, 6], "v": [6, 3], "b": [3]}, "ints": {"axes": [0]}}


@pytest.fixture
def nodes(bench):
    """nodes(ir, op): as `describe` tells them."""
    return lambda ir, op: [node for node in bench.run(describe_call(), ir=ir)[0]["nodes"] if node["op"] == op]


@pytest.mark.parametrize("activations", ["uint8", "int8"])
@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy", "mse", "mean"])
def test_a_depthwise_net(try_text, activations, method):
    params = {"activations": activations, "method": method}
    tried = try_text("quantize-int8", DEPTHWISE, weights=DEPTHWISE_WEIGHTS, scale=0.4, params=params)
    assert tried.error < 0.2
    assert tried.value["left_float"] == []
    assert tried.value["quantised_nodes"] == 6
    assert tried.value["calibration"]["judged_on"] == 3


@pytest.mark.parametrize("params", [{"symmetric": True}, {"weights": "int7"}, {"per_channel": False}])
def test_other_styles(try_text, params):
    tried = try_text("quantize-int8", DEPTHWISE, weights=DEPTHWISE_WEIGHTS, scale=0.4, params=params)
    assert tried.error < 0.3
    assert tried.value["left_float"] == []


@pytest.mark.parametrize("zero_points", [True, False])
def test_without_zero_points_the_level_of_zero_is_0(bench, nodes, try_text, zero_points):
    params = {"zero_points": zero_points, "smooth": False}
    tried = try_text("quantize-int8", DEPTHWISE, weights=DEPTHWISE_WEIGHTS, scale=0.4, params=params)
    stored = bench.tool("weights", inputs={"ir": tried.ir})[0]
    zeros = {level for name, level in stored.items() if name.endswith("/zero") and isinstance(level, int | float)}
    assert tried.error < 0.3
    assert (zeros == {0}) is not zero_points
    types = {node["inputs"][2]["dtype"] for node in nodes(tried.ir, "QuantizeLinear")}
    assert types == ({"uint8"} if zero_points else {"uint8", "int8"})


def test_weights_are_stored_in_int8_per_channel(nodes, try_text):
    tried = try_text("quantize-int8", DEPTHWISE, weights=DEPTHWISE_WEIGHTS, scale=0.4)
    stored = nodes(tried.ir, "DequantizeLinear")
    weights = [node for node in stored if node["inputs"][0]["shape"] == [8, 1, 3, 3]]
    assert len(weights) == 2
    assert all(node["inputs"][0]["dtype"] == "int8" for node in weights)
    assert all(node["inputs"][1]["shape"] == [8] for node in weights)
    assert sum(node["inputs"][0]["dtype"] == "int32" for node in stored) == 2


def test_for_processors_without_floats_the_last_product_is_rounded_too(nodes, try_text):
    build = {"weights": DEPTHWISE_WEIGHTS, "scale": 0.4}
    usual = try_text("quantize-int8", DEPTHWISE, **build)
    whole = try_text("quantize-int8", DEPTHWISE, **build, params={"whole": True})
    assert whole.error < 0.2
    made, gemm = nodes(whole.ir, "QuantizeLinear"), nodes(whole.ir, "Gemm")[0]["outputs"][0]["name"]
    assert len(made) == len(nodes(usual.ir, "QuantizeLinear")) + 1
    assert gemm in {node["inputs"][0]["name"] for node in made}


def test_matrices_give_floats_to_who_reads_floats(try_text):
    tried = try_text("quantize-int8", DENSE, weights=DENSE_WEIGHTS)
    assert tried.error < 0.03
    assert tried.value["left_float"] == []
    # Before either product, and none behind: the sum between them is in float.
    assert tried.after["QuantizeLinear"] == 2


def test_quantisers_stand_where_the_kernels_want_them(try_text):
    """A residual block: the sum computes in 8 bits, the Relu is done by the range behind it, the pool moves
    what is rounded already, and the last sum before the output is not worth it."""
    body = """(float[1,4,8,8] x) => (float[1,4,4,4] y) {
        a = Conv<pads=[1,1,1,1]>(x, w1, b1)  r = Relu(a)
        c = Conv<pads=[1,1,1,1]>(r, w2)  s = Add(c, r)  t = Relu(s)
        m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(t)
        d = Conv(m, w3)  y = Add(d, m)
    }"""
    weights = {"w1": [4, 4, 3, 3], "b1": [4], "w2": [4, 4, 3, 3], "w3": [4, 4, 1, 1]}
    tried = try_text("quantize-int8", body, weights=weights, scale=0.3)
    assert tried.error < 0.03
    assert tried.value["quantised_nodes"] == 5  # three convolutions, the first sum, the pool
    assert tried.after["QuantizeLinear"] == 5  # x, r, c, t, d
    assert tried.after["Relu"] == 2


def test_moved_values_keep_their_levels(nodes, try_text):
    body = """(float[1,8,8,3] x) => (float[1,5] y) {
        t = Transpose<perm=[0,3,1,2]>(x)  c = Conv<pads=[1,1,1,1]>(t, w1)
        m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(c)  r = Relu(m)  f = Flatten(r)  y = Gemm(f, w2)
    }"""
    tried = try_text("quantize-int8", body, weights={"w1": [4, 3, 3, 3], "w2": [64, 5]}, scale=0.3)
    assert tried.error < 0.03
    scales = {node["inputs"][1]["name"] for node in nodes(tried.ir, "QuantizeLinear")}
    assert len(scales) == 2  # of x and its transpose; of the convolution, the pool and what it flattens
    assert tried.after["QuantizeLinear"] == 4  # x, c, behind the Relu, behind Flatten


def test_a_concatenation_has_one_scale(nodes, try_text):
    body = """(float[1,3,6,6] x) => (float[1,2,6,6] y) {
        a = Conv(x, w1)  ra = Relu(a)  b = Conv(x, w2)  rb = Relu(b)
        c = Concat<axis=1>(ra, rb)  y = Conv(c, w3)
    }"""
    tried = try_text("quantize-int8", body, weights={"w1": [4, 3, 1, 1], "w2": [4, 3, 1, 1], "w3": [2, 8, 1, 1]})
    assert tried.error < 0.03
    assert len({node["inputs"][1]["name"] for node in nodes(tried.ir, "QuantizeLinear")}) == 3  # x, c with its parts, y


def test_attention_multiplies_in_float(try_text):
    """Its projections compute in 8 bits; the products of activations, and what is moved between them, do not."""
    body = """(float[2,5,8] x) => (float[2,5,6] y) {
        q = MatMul(x, wq)  k = MatMul(x, wk)  v = MatMul(x, wv)  t = Transpose<perm=[0,2,1]>(k)
        s = MatMul(q, t)  p = Softmax<axis=-1>(s)  o = MatMul(p, v)  y = MatMul(o, wo)
    }"""
    tried = try_text("quantize-int8", body, weights={"wq": [8, 4], "wk": [8, 4], "wv": [8, 4], "wo": [4, 6]}, scale=0.5)
    assert tried.error < 0.03
    assert tried.value["quantised_nodes"] == 4
    assert tried.after["QuantizeLinear"] == 2  # x, o


def test_an_output_that_is_read_inside_too(try_text):
    body = """(float[1,3,6,6] x) => (float[1,4,6,6] y, float[1,2,6,6] z) { y = Conv(x, w1)  z = Conv(y, w2) }"""
    tried = try_text("quantize-int8", body, weights={"w1": [4, 3, 1, 1], "w2": [2, 4, 1, 1]})
    assert tried.error < 0.03


def test_weights_that_two_nodes_share(try_text):
    body = """(float[2,6] x) => (float[2,6] y) { a = Gemm(x, w, b)  r = Relu(a)  y = Gemm(r, w, b) }"""
    tried = try_text("quantize-int8", body, weights={"w": [6, 6], "b": [6]})
    assert tried.error < 0.05
    assert tried.value["quantised_nodes"] == 2


def test_an_older_operator_set_is_raised(try_text):
    tried = try_text("quantize-int8", DEPTHWISE, weights=DEPTHWISE_WEIGHTS, scale=0.4, opset=9)
    assert tried.error < 0.1
    assert any("operator set 9 -> 13" in line for line in tried.value["changes"])


def test_recurrent_operators_stay_in_float(try_text):
    tried = try_text("quantize-int8", RECURRENT, **RECURRENT_BUILD)
    assert tried.error < 0.05
    assert len(tried.value["left_float"]) == 1
    assert tried.value["left_float"][0].endswith("(LSTM)")


@pytest.mark.parametrize("keep", ["Conv_0", "Conv"])
def test_kept_nodes_and_operators(try_text, keep):
    tried = try_text("quantize-int8", DEPTHWISE, weights=DEPTHWISE_WEIGHTS, scale=0.4, params={"keep": [keep]})
    left = tried.value["left_float"]
    assert "Conv_0 (Conv)" in left
    assert len(left) == (1 if keep == "Conv_0" else 3)


def test_chosen_operators(try_text):
    tried = try_text("quantize-int8", DEPTHWISE, weights=DEPTHWISE_WEIGHTS, scale=0.4, params={"only": ["Gemm"]})
    assert sum(name.endswith("(Conv)") for name in tried.value["left_float"]) == 3


@pytest.mark.parametrize(
    "params", [{"method": "best"}, {"activations": "int4"}, {"weights": "uint8"}, {"only": ["Softmax"]}]
)
def test_wrong_parameters_are_refused(bench, params):
    ir = bench.make_ir(bench.build(f'<ir_version: 8, opset_import: ["" : 18]> g {DENSE}', weights=DENSE_WEIGHTS))
    with pytest.raises(Unsupported):
        bench.run(pass_call("quantize-int8", **params), ir=ir, samples=bench.samples(ir))


def test_quantising_twice_is_refused(bench, try_text):
    tried = try_text("quantize-int8", DENSE, weights=DENSE_WEIGHTS)
    for name, needs in (("quantize-int8", {"samples": bench.samples(tried.source)}), ("fp16", {})):
        with pytest.raises(Unsupported, match="quantised"):
            bench.run(pass_call(name), ir=tried.ir, **needs)


@pytest.mark.parametrize("operator", ["Exp(x)", "MatMul(x, x)", "Add(x, x)"])
def test_nothing_to_quantise_is_refused(bench, operator):
    text = f'<ir_version: 8, opset_import: ["" : 18]> g (float[2,2] x) => (float[2,2] y) {{ y = {operator} }}'
    ir = bench.make_ir(bench.build(text))
    with pytest.raises(Unsupported, match="nothing"):
        bench.run(pass_call("quantize-int8"), ir=ir, samples=bench.samples(ir))


def test_activations_that_are_not_finite_are_refused(bench):
    text = (
        '<ir_version: 8, opset_import: ["" : 18]> g (float[1,4] x) => (float[1,4] y) { a = Log(x)  y = MatMul(a, w) }'
    )
    ir = bench.make_ir(bench.build(text, weights={"w": [4, 4]}))
    with pytest.raises(BadModel, match="not finite"):
        bench.run(pass_call("quantize-int8"), ir=ir, samples=bench.samples(ir))


@pytest.mark.parametrize("method", ["mse", "mean"])
def test_a_batch_changes_nothing(bench, method):
    """The same net with a free batch dim, whose samples are run together, and with one of 1: the same levels."""
    made = []
    for dim in ("N", 1):
        body = DEPTHWISE.replace("float[1,", f"float[{dim},")
        text = f'<ir_version: 8, opset_import: ["" : 18]> g {body}'
        ir = bench.make_ir(bench.build(text, weights=DEPTHWISE_WEIGHTS, scale=0.4))
        samples = bench.samples(ir, 5, **({"N": 1} if dim == "N" else {}))
        out = bench.run(
            pass_call("quantize-int8", method=method, smooth=False, correct_bias=False), ir=ir, samples=samples
        )[1]
        made.append(bench.outputs(out, samples)["y"])
    assert abs(made[0] - made[1]).max() < 2e-3


def test_the_mean_is_that_of_samples_and_not_of_the_batches_they_are_run_in(bench):
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {DEPTHWISE.replace("float[1,", "float[N,")}'
    ir = bench.make_ir(bench.build(text, weights=DEPTHWISE_WEIGHTS, scale=0.4))
    samples = bench.samples(ir, 6, N=1)
    with np.load(samples / "samples.npz") as archive:
        x = archive["x"] * np.arange(1, 7, dtype=np.float32).reshape(-1, 1, 1, 1, 1)
    np.savez(samples / "samples.npz", x=x)
    call = pass_call("quantize-int8", method="mean", smooth=False, correct_bias=False)
    out = bench.run(call, ir=ir, samples=samples)[1]
    each = x.reshape(6, -1)
    wanted = (each.max(axis=1).mean() - each.min(axis=1).mean()) / 255
    assert bench.tool("weights", inputs={"ir": out})[0]["x/scale"] == pytest.approx(wanted, rel=1e-5)


def test_biases_are_corrected_on_samples_of_the_whole_set(bench, tmp_path):
    """Sorted as a folder of classes is: with every sample given twice, those that stand for all are the same, and so is
    the model. The first 64 of twice as many would be the faint half."""
    ir = bench.make_ir(
        bench.build(f'<ir_version: 8, opset_import: ["" : 18]> g {DEPTHWISE}', weights=DEPTHWISE_WEIGHTS)
    )
    loudness = np.linspace(0.1, 3.0, 64, dtype=np.float32).reshape(-1, 1, 1, 1, 1)
    x = loudness * np.random.default_rng(0).standard_normal((64, 1, 1, 10, 10), dtype=np.float32)
    made = []
    for name, save, samples in (("once", np.savez, x), ("twice", np.savez_compressed, x.repeat(2, axis=0))):
        (tmp_path / name).mkdir()
        save(tmp_path / name / "samples.npz", x=samples)
        call = pass_call("quantize-int8", method="minmax", smooth=False)
        value, out = bench.run(call, ir=ir, samples=tmp_path / name)
        assert value["corrected_biases"] == 2
        made.append((out / "model.onnx").read_bytes())
    assert made[0] == made[1]

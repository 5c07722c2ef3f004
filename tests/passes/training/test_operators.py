"""Operators as torch computes them, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported

from .conftest import LIBRARIES, WORKER

PICTURE = "(float[1,4,9,9] x) => (float[?,?,?,?] y)"
CASES = {
    "conv": (
        PICTURE,
        "y = Conv<pads=[1,2,0,1], strides=[2,1], dilations=[1,2]>(x, w, b)",
        {"w": [6, 4, 3, 3], "b": [6]},
    ),
    "conv-same-upper": (PICTURE, 'y = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, w)', {"w": [6, 4, 4, 4]}),
    "conv-same-lower": (PICTURE, 'y = Conv<auto_pad="SAME_LOWER", strides=[2,2]>(x, w)', {"w": [6, 4, 4, 4]}),
    "conv-depthwise": (PICTURE, "y = Conv<group=4>(x, w)", {"w": [4, 1, 3, 3]}),
    "conv-of-one-place": (PICTURE, "y = Conv<pads=[1,0,0,1], strides=[2,3]>(x, w, b)", {"w": [6, 4, 1, 1], "b": [6]}),
    "conv-transpose": (
        PICTURE,
        "y = ConvTranspose<strides=[2,2], pads=[1,0,1,1]>(x, w, b)",
        {"w": [4, 6, 3, 3], "b": [6]},
    ),
    "conv-transpose-more": (
        PICTURE,
        "y = ConvTranspose<strides=[2,2], output_padding=[1,1]>(x, w, b)",
        {"w": [4, 6, 3, 3], "b": [6]},
    ),
    "conv-transpose-shape": (
        PICTURE,
        "y = ConvTranspose<strides=[2,2], output_shape=[18,18]>(x, w)",
        {"w": [4, 6, 3, 3]},
    ),
    "conv-transpose-same": (
        PICTURE,
        'y = ConvTranspose<strides=[2,2], auto_pad="SAME_UPPER">(x, w)',
        {"w": [4, 6, 3, 3]},
    ),
    "max-pool": (PICTURE, "y = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)", {}),
    "max-pool-ceil": (PICTURE, "y = MaxPool<kernel_shape=[2,2], strides=[2,2], ceil_mode=1>(x)", {}),
    "max-pool-ceil-wide": (
        PICTURE,
        "y = MaxPool<kernel_shape=[2,2], strides=[3,3], ceil_mode=1, pads=[0,0,1,1]>(x)",
        {},
    ),
    "average-pool": (PICTURE, "y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,0,0]>(x)", {}),
    "average-pool-ceil": (PICTURE, "y = AveragePool<kernel_shape=[2,2], strides=[2,2], ceil_mode=1>(x)", {}),
    "average-pool-pads": (
        PICTURE,
        "y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], count_include_pad=1>(x)",
        {},
    ),
    "batch-norm": (
        PICTURE,
        "y = BatchNormalization(x, s, b, m, v_positive)",
        {"s": [4], "b": [4], "m": [4], "v_positive": [4]},
    ),
    "instance-norm": (PICTURE, "y = InstanceNormalization(x, s, b)", {"s": [4], "b": [4]}),
    "layer-norm": (PICTURE, "y = LayerNormalization<axis=2>(x, s, b)", {"s": [9, 9], "b": [9, 9]}),
    "lrn": (PICTURE, "y = LRN<size=3, alpha=0.5>(x)", {}),
    "lp-norm": (PICTURE, "y = LpNormalization<axis=1, p=1>(x)", {}),
    "mean-variance": (PICTURE, "y = MeanVarianceNormalization(x)", {}),
    "prelu": (PICTURE, "y = PRelu(x, s)", {"s": [4, 1, 1]}),
    "activations": (
        PICTURE,
        "a = Elu(x) b = Selu(a) c = HardSigmoid(b) d = HardSwish(c) e = Softplus(d) y = Mish(e)",
        {},
    ),
    "more": (PICTURE, "a = LeakyRelu(x) b = ThresholdedRelu(a) c = Celu(x) d = Softsign(c) y = Max(b, d, x)", {}),
    "softmax": (PICTURE, "a = Softmax<axis=1>(x) y = LogSoftmax(a)", {}),
    "reduce": (PICTURE, "a = ReduceL2(x, i1) b = ReduceLogSumExp(a, i2) c = ReduceProd(x, i1) y = Sub(c, b)", {}),
    "cumsum": (PICTURE, "y = CumSum<reverse=1, exclusive=1>(x, one)", {}),
    "pad-reflect": (PICTURE, 'y = Pad<mode="reflect">(x, pads)', {}),
    "pad-edge": (PICTURE, 'y = Pad<mode="edge">(x, pads)', {}),
    "pad": (PICTURE, "y = Pad(x, pads)", {}),
    "slice": (PICTURE, "y = Slice(x, starts, ends, axes, steps)", {}),
    "gather": (PICTURE, "y = Gather<axis=2>(x, places)", {}),
    "depth-to-space": (PICTURE, "a = DepthToSpace<blocksize=2>(x) y = SpaceToDepth<blocksize=2>(a)", {}),
    "depth-to-space-crd": (PICTURE, 'y = DepthToSpace<blocksize=2, mode="CRD">(x)', {}),
    "shape": (
        PICTURE,
        "s = Shape(x) h = Slice(s, zero, one) t = Concat<axis=0>(h, minus) f = Reshape(x, t) y = Reshape(f, s)",
        {},
    ),
    "split": (PICTURE, "a, b = Split<axis=1>(x, halves) y = Concat<axis=1>(b, a)", {}),
    "resize-nearest": (PICTURE, 'y = Resize<mode="nearest">(x, , , sizes)', {}),
    "resize-asymmetric": (
        PICTURE,
        'y = Resize<mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor">(x, , , sizes)',
        {},
    ),
    "resize-linear": (PICTURE, 'y = Resize<mode="linear">(x, , , sizes)', {}),
    "resize-corners": (
        PICTURE,
        'y = Resize<mode="linear", coordinate_transformation_mode="align_corners">(x, , , sizes)',
        {},
    ),
    "einsum": (PICTURE, 'y = Einsum<equation="nchw,kc->nkhw">(x, w)', {"w": [5, 4]}),
    "trilu": (PICTURE, "a = Trilu(x) b = Trilu<upper=0>(x) y = Mul(a, b)", {}),
    "matmul": ("(float[1,5,7] x) => (float[1,5,3] y)", "m = MatMul(x, w) y = Add(m, b)", {"w": [7, 3], "b": [3]}),
    "gemm": (
        "(float[2,7] x) => (float[2,3] y)",
        "y = Gemm<transB=1, alpha=0.5, beta=2.0>(x, w, b)",
        {"w": [3, 7], "b": [3]},
    ),
    "integers": (
        "(int64[3,4] x) => (int64[3,4] y)",
        "a = Div(x, three) b = Mod(a, three) m = Sub(x, b) y = Max(m, a)",
        {},
    ),
    "embedding": ("(int64[1,6] x) => (float[1,6,5] y)", "n = Mod(x, three) y = Gather(w, n)", {"w": [3, 5]}),
    "one-hot": ("(int64[4] x) => (float[?,?] y)", "y = OneHot(x, three, onoff)", {"onoff": [2]}),
    "top-k": (PICTURE, "v, i = TopK<axis=2>(x, two) y = Identity(v)", {}),
    "where": (PICTURE, "c = Greater(x, w) y = Where(c, x, w)", {"w": [9]}),
}
INTS = {
    "i1": [1],
    "i2": [2],
    "pads": [0, 0, 1, 2, 0, 0, 2, 0],
    "starts": [-1, 1],
    "ends": [-9, 100],
    "axes": [3, 2],
    "steps": [-2, 3],
    "places": [0, -1, 3],
    "minus": [-1],
    "halves": [1, 3],
    "sizes": [1, 4, 14, 5],
}
SCALARS = {"one": 1, "three": 3}


@pytest.mark.parametrize("name", sorted(CASES))
def test_forward_equals_onnx_runtime(forward_text, name):
    ports, body, weights = CASES[name]
    ints = {key: value for key, value in INTS.items() if key in body}
    ints |= {"one": [1], "two": [2], "zero": [0]} if name in ("shape", "top-k") else {}
    ints |= {key: value for key, value in SCALARS.items() if key in body and key not in ints}
    tried = forward_text(f"{ports} {{ {body} }}", weights=weights, ints=ints)
    assert tried.error < 1e-5


RECURRENT = "(float[5,1,4] x) => (float[5,?,1,6] y)"
SIZES = {"LSTM": 24, "GRU": 18, "RNN": 6}


@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_recurrent(forward_text, op, direction):
    ways = 2 if direction == "bidirectional" else 1
    rows = SIZES[op]
    weights = {"w": [ways, rows, 4], "r": [ways, rows, 6], "b": [ways, 2 * rows], "h": [ways, 1, 6]}
    body = f'{RECURRENT} {{ y, yh = {op}<hidden_size=6, direction="{direction}">(x, w, r, b, , h) }}'
    assert forward_text(body, weights=weights, scale=0.5).error < 1e-5


def test_gru_with_the_reset_behind_the_product(forward_text):
    weights = {"w": [1, 18, 4], "r": [1, 18, 6], "b": [1, 36]}
    body = f"{RECURRENT} {{ y = GRU<hidden_size=6, linear_before_reset=1>(x, w, r, b) }}"
    assert forward_text(body, weights=weights, scale=0.5).error < 1e-5


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("keys", [2, 4])
def test_attention(forward_text, causal, keys):
    body = f"""(float[1,5,16] x) => (float[1,5,16] y) {{
        q = MatMul(x, wq) k = MatMul(x, wk) v = MatMul(x, wv)
        y = Attention<q_num_heads=4, kv_num_heads={keys}, is_causal={causal}>(q, k, v)
    }}"""
    weights = {"wq": [16, 16], "wk": [16, 4 * keys], "wv": [16, 4 * keys]}
    assert forward_text(body, opset=23, weights=weights, scale=0.4).error < 1e-5


@pytest.mark.parametrize("interleaved", [0, 1])
def test_rotary_embedding(forward_text, interleaved):
    body = f"""(float[1,5,16] x) => (float[1,5,16] y) {{
        y = RotaryEmbedding<num_heads=2, interleaved={interleaved}>(x, c, s, places)
    }}"""
    weights = {"c": [8, 4], "s": [8, 4]}
    places = {"places": [[0, 3, 1, 2, 7]]}
    assert forward_text(body, opset=23, weights=weights, ints=places).error < 1e-5


@pytest.mark.parametrize("opset", [7, 10, 12, 13])
def test_older_operator_sets(forward_text, opset):
    body = "(float[1,3,6] x) => (float[?,?] y) { m = Softmax<axis=1>(x) f = Flatten(m) y = Dropout(f) }"
    assert forward_text(body, opset=opset).error < 1e-5


@pytest.mark.parametrize("channels", [4, 8, 24])
def test_gradient_of_a_strided_convolution_of_one_place_over_channels_that_lie_last(bench, channels):
    """oneDNN's own crashes there for three samples of eight channels."""
    text = """<ir_version: 8, opset_import: ["" : 18]> g (float[1,32,32,C] x) => (float[?,?,?,?] y) {
        c = Transpose<perm=[0,3,1,2]>(x) y = Conv<strides=[2,2]>(c, w)
    }""".replace("C]", f"{channels}]")
    ir = bench.make_ir(bench.build(text, weights={"w": [24, channels, 1, 1]}))
    samples = bench.samples(ir, 3)
    call = Call("training", WORKER, "gradient", libraries=LIBRARIES)
    _, out = bench.run(call, ir=ir, samples=samples)
    with np.load(samples / "samples.npz") as fed, np.load(out / "gradient.npz") as found:
        expected = fed["x"][:, 0, ::2, ::2].sum(axis=(0, 1, 2), dtype=np.float64)
        assert np.allclose(found["w"][:, :, 0, 0], expected, rtol=1e-3, atol=1e-2)


def test_an_unknown_operator_is_refused_with_its_node(bench, net, quadrants):
    from dlpipe.passes.registry import pass_call

    text = '<ir_version: 8, opset_import: ["" : 18]> g (float[4] x) => (float[?] y) { m = MatMul(x, w) y = Unique(m) }'
    ir = bench.make_ir(bench.build(text, weights={"w": [4, 4]}))
    with pytest.raises(Unsupported, match="Unique cannot be computed in torch") as caught:
        bench.run(pass_call("fine-tune"), ir=ir, train=quadrants)
    assert caught.value.where["op"] == "Unique"

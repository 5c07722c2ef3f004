"""Operators written out: the outputs stay, and the fusions find the operator again."""

from __future__ import annotations

import pytest

from dlpipe.passes.registry import pass_call

SEQUENCE = "(float[N,5,8] x) => (float[N,5,8] y)"
HEADS = "(float[N,4,5,4] q, float[N,2,6,4] k, float[N,2,6,4] v{}) => (float[N,4,5,4] y)"
SIDE = "(float[N,5,8] q, float[N,6,8] k, float[N,6,8] v) => (float[N,5,8] y)"

# name: (graph, opset, the fusion that undoes it)
CASES = {
    "gelu": (SEQUENCE + " { y = Gelu(x) }", 20, "fuse-gelu"),
    "gelu, tanh": (SEQUENCE + ' { y = Gelu<approximate = "tanh">(x) }', 20, "fuse-gelu"),
    "swish": (SEQUENCE + " { y = Swish<alpha = 1.7>(x) }", 24, None),
    "layer norm": (SEQUENCE + " { y = LayerNormalization(x, g, b) }", 17, "fuse-norms"),
    "layer norm without offset": (SEQUENCE + " { y = LayerNormalization(x, g) }", 18, "fuse-norms"),
    "layer norm, two axes": (
        SEQUENCE + " { y = LayerNormalization<axis = 1, epsilon = 0.1>(x, gg, gg) }",
        18,
        "fuse-norms",
    ),
    "rms norm": (SEQUENCE + " { y = RMSNormalization(x, g) }", 23, "fuse-norms"),
    "attention": (HEADS.format("") + " { y = Attention(q, k, v) }", 23, "fuse-attention"),
    "attention, masked": (
        HEADS.format(", float[N,1,5,6] m") + " { y = Attention<scale = 0.3>(q, k, v, m) }",
        23,
        "fuse-attention",
    ),
    "attention, heads side by side": (
        SIDE + " { y = Attention<q_num_heads = 2, kv_num_heads = 2>(q, k, v) }",
        23,
        "fuse-attention",
    ),
    "attention, causal": (HEADS.format("") + " { y = Attention<is_causal = 1>(q, k, v) }", 23, "fuse-attention"),
    "attention, of opset 25": (HEADS.format("") + " { y = Attention<is_causal = 1>(q, k, v) }", 25, "fuse-attention"),
    "attention, capped": (HEADS.format("") + " { y = Attention<softcap = 2.0>(q, k, v) }", 23, None),
    "attention, bools": (HEADS.format(", bool[5,6] m") + " { y = Attention(q, k, v, m) }", 23, None),
    "rotary": ("(float[2,2,3,8] x) => (float[2,2,3,8] y) { y = RotaryEmbedding(x, cos, sin) }", 23, None),
    "rotary, interleaved": (
        "(float[2,2,3,8] x) => (float[2,2,3,8] y) { y = RotaryEmbedding<interleaved = 1>(x, cos, sin) }",
        23,
        None,
    ),
    "rotary, in part": (
        "(float[2,2,3,8] x) => (float[2,2,3,8] y) { y = RotaryEmbedding<rotary_embedding_dim = 4>(x, pcos, psin) }",
        23,
        None,
    ),
    "rotary, heads side by side": (
        "(float[2,3,16] x) => (float[2,3,16] y) { y = RotaryEmbedding<num_heads = 2>(x, cos, sin) }",
        23,
        None,
    ),
    "rotary, by positions": (
        "(float[2,2,3,8] x, int64[2,3] at) => (float[2,2,3,8] y) { y = RotaryEmbedding(x, table, table, at) }",
        23,
        None,
    ),
}
COMPOSED = {"Attention", "Gelu", "LayerNormalization", "RMSNormalization", "RotaryEmbedding", "Swish"}
WEIGHTS = {"g": [8], "b": [8], "gg": [5, 8], "cos": [2, 3, 4], "sin": [2, 3, 4], "pcos": [2, 3, 2], "psin": [2, 3, 2]}


@pytest.fixture(scope="module")
def tried(try_many):
    cases = {
        name: {
            "text": f'<ir_version: 8, opset_import: ["" : {opset}]> g {graph}',
            "weights": {**WEIGHTS, "table": [9, 4]},
        }
        for name, (graph, opset, _) in CASES.items()
    }
    undone = ["fuse-activations", "fuse-gelu", "fuse-norms", "fuse-rotary", "fuse-attention"]
    params = {"decompose": {"operators": sorted(COMPOSED)}}
    plan = [["decompose", "fold-constants", "clean"], ["decompose", *undone]]
    return try_many(cases, plan, params, {"N": 2})


@pytest.mark.parametrize("name", CASES)
def test_written_out(tried, name):
    first, step, *rest = tried[name][0]
    assert not COMPOSED & set(step["operators"]), step
    assert not step["again"]
    assert all(each["error"] < 1e-5 for each in (step, *rest))
    assert COMPOSED & set(first["operators"])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[2]])
def test_found_again(tried, name):
    first, *_, last = tried[name][1]
    assert last["error"] < 1e-5
    assert last["operators"] == first["operators"]


PAST = """(float[1,2,5,4] q, float[1,2,5,4] k, float[1,2,5,4] v, float[1,2,3,4] pk, float[1,2,3,4] pv) =>
    (float[1,2,5,4] y, float[1,2,8,4] nk, float[1,2,8,4] nv) { y, nk, nv = Attention(q, k, v, , pk, pv) }"""


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (PAST, "more than its first output is read"),
        ("(float[1,2,S,4] q) => (float[1,2,S,4] y) { y = Attention<is_causal = 1>(q, q, q) }", "is causal"),
        (
            "(float[N,5,8] x) => (float[N,5,8] y, float[N,5,1] m) { y, m = LayerNormalization(x, g) }",
            "more than its first",
        ),
    ],
)
def test_what_is_not_plain_stays_and_says_why(bench, graph, reason):
    text = f'<ir_version: 8, opset_import: ["" : 23]> g {graph}'
    ir = bench.make_ir(bench.build(text, weights={"g": [8]}))
    value, out = bench.run(pass_call("decompose"), ir=ir)
    assert not value["modified"]
    assert reason in value["left"][0]["reason"]
    assert (out / "model.onnx").read_bytes() == (ir / "model.onnx").read_bytes()


def test_only_what_is_named(bench):
    graph = "(float[2,8] x) => (float[2,8] y) { a = Gelu(x)  y = LayerNormalization(a, g) }"
    text = f'<ir_version: 8, opset_import: ["" : 20]> g {graph}'
    ir = bench.make_ir(bench.build(text, weights={"g": [8]}))
    value, _ = bench.run(pass_call("decompose", operators=["Gelu"]), ir=ir)
    assert len(value["changes"]) == 1

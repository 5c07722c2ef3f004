from __future__ import annotations

import pytest

from dlpipe.errors import Unsupported
from dlpipe.passes.registry import pass_call

DEEP = """(float[4,64] x) => (float[4,48] y) {
    a = MatMul(x, w1)  r = Relu(a)  b = MatMul(r, w2)  t = Relu(b)  c = MatMul(t, w3)  s = Relu(c)  y = MatMul(s, w4)
}"""
BUILD = {"weights": {"w1": [64, 64], "w2": [64, 64], "w3": [64, 64], "w4": [64, 48]}, "scale": 0.2}


def test_the_tighter_the_limit_the_more_have_eight_bits(try_text):
    eight, sizes = [], []
    for limit in (25.0, 32.0, 35.5):
        tried = try_text("quantize-weights-mixed", DEEP, **BUILD, params={"sqnr_db": limit})
        assert tried.value["outputs"]["sqnr_db"] >= limit
        eight.append(len(tried.value["eight_bits"]))
        sizes.append(tried.value["weight_bytes"]["after"])
        assert tried.after["DequantizeLinear"] == 4
    assert eight[0] == 0 < eight[1] < eight[2]
    assert sizes == sorted(sizes)


def test_the_order_can_be_measured(try_text):
    guessed = try_text("quantize-weights-mixed", DEEP, **BUILD, params={"sqnr_db": 32.0})
    measured = try_text("quantize-weights-mixed", DEEP, **BUILD, params={"sqnr_db": 32.0, "order": "measured"})
    assert measured.value["outputs"]["sqnr_db"] >= 32.0
    assert 0 < len(measured.value["eight_bits"]) <= len(guessed.value["eight_bits"])


def test_a_table_has_eight_bits_in_any_case(try_text):
    body = "(int64[2,5] i) => (float[2,5,32] y) { e = Gather(table, i)  y = MatMul(e, w) }"
    weights = {"table": [100, 48], "w": [48, 32]}
    tried = try_text("quantize-weights-mixed", body, weights=weights, params={"sqnr_db": 15.0})
    assert tried.value["eight_bits"] == []
    assert tried.value["quantised_nodes"] == 2


def test_a_limit_out_of_reach_and_none(bench):
    ir = bench.make_ir(bench.build(f'<ir_version: 8, opset_import: ["" : 18]> g {DEEP}', **BUILD))
    samples = bench.samples(ir)
    for params, match in (
        ({"sqnr_db": 90.0}, "even with 8 bits"),
        ({"sqnr_db": 0.0}, "no limit"),
        ({"order": "x"}, "guessed"),
    ):
        with pytest.raises(Unsupported, match=match):
            bench.run(pass_call("quantize-weights-mixed", **params), ir=ir, samples=samples)

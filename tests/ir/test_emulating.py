"""bfloat16 where nothing computes it: the emulation, number by number."""

from __future__ import annotations

import numpy as np

from dlpipe.ir.calls import run_call


def bfloat16(array):
    """Round to the nearest of 8 bits, ties to even: on the bits of float32."""
    bits = np.asarray(array, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def run(bench, body, opset=22, **build):
    ir = bench.make_ir(bench.build(f'<ir_version: 10, opset_import: ["" : {opset}]> g {body}', **build))
    samples = bench.samples(ir, 4)
    value, out = bench.run(run_call(), ir=ir, samples=samples)
    with np.load(samples / "samples.npz") as given, np.load(out / "outputs.npz") as found:
        return value, {**given}, {**found}


def test_every_operator_rounds(bench):
    body = """(float[4,4] x) => (float[4,4] y) {
        a = Cast<to=16>(x)  b = MatMul(a, a)  c = Mul(b, b)  d = Transpose(c)  e = Add(d, b)  y = Cast<to=1>(e)
    }"""
    value, given, found = run(bench, body)
    assert value["tool"].endswith("bfloat16 emulated")
    for x, y in zip(given["x"], found["y"], strict=True):
        a = bfloat16(x)
        b = bfloat16(a @ a)
        c = bfloat16(b * b)
        assert np.array_equal(y, bfloat16(c.T + b))


def test_branches_and_values_from_outside(bench):
    body = """(float[4,4] x, bool flag) => (float[4,4] y) {
        a = Cast<to=16>(x)  b = Mul(a, a)
        i = If(flag) <
            then_branch = t () => (bfloat16[4,4] o) { o = Mul(b, a) },
            else_branch = e () => (bfloat16[4,4] p) { p = Identity(b) }
        >
        y = Cast<to=1>(i)
    }"""
    _, given, found = run(bench, body)
    for x, flag, y in zip(given["x"], given["flag"], found["y"], strict=True):
        a = bfloat16(x)
        b = bfloat16(a * a)
        assert np.array_equal(y, bfloat16(b * a) if flag else b)


def test_loops(bench):
    body = """(float[3,4] x) => (float[4] y, float[3,4] z) {
        a = Cast<to=16>(x)  start = Constant<value = float[4] {0.1, 0.2, 0.3, 0.4}>()  s = Cast<to=16>(start)
        last, all = Scan<num_scan_inputs = 1, body = b (bfloat16[4] state, bfloat16[4] row)
            => (bfloat16[4] next, bfloat16[4] out) { next = Add(state, row)  out = Identity(next) }
        >(s, a)
        y = Cast<to=1>(last)  z = Cast<to=1>(all)
    }"""
    _, given, found = run(bench, body)
    for x, y, z in zip(given["x"], found["y"], found["z"], strict=True):
        state = bfloat16([0.1, 0.2, 0.3, 0.4])
        for row, seen in zip(bfloat16(x), z, strict=True):
            state = bfloat16(state + row)
            assert np.array_equal(seen, state)
        assert np.array_equal(y, state)


def test_other_models_are_run_as_they_are(bench):
    value, _, _ = run(
        bench, "(float[4,4] x) => (float[4,4] y) { a = Cast<to=10>(x)  b = Mul(a, a)  y = Cast<to=1>(b) }"
    )
    assert "emulated" not in value["tool"]


def test_weights_in_bfloat16(bench):
    body = """(float[2,3] x) => (float[2,3] y) <bfloat16[3] w = {16256, 16128, 16000}> {
        a = Cast<to=16>(x)  b = Mul(a, w)  y = Cast<to=1>(b)
    }"""  # the bits of 1, 1/2 and 1/4
    _, given, found = run(bench, body)
    for x, y in zip(given["x"], found["y"], strict=True):
        assert np.array_equal(y, bfloat16(bfloat16(x) * np.float32([1.0, 0.5, 0.25])))

"""Loops written out: what becomes of them, and that the outputs stay."""

from __future__ import annotations

import pytest

SUM = "body = step (float[2] si, float[2] xi) => (float[2] so, float[2] yo) { so = Add(si, xi)  yo = Mul(so, w) }"
AGAIN = "body = step (float[2] sj, float[2] xj) => (float[2] sp, float[2] yp) { sp = Add(sj, xj)  yp = Sub(sp, w) }"


def test_scan(try_text):
    body = f"""(float[3,2] x, float[2] s) => (float[2] last, float[3,2] y) {{
        last, y = Scan<num_scan_inputs=1, {SUM}>(s, x)
    }}"""
    tried = try_text("unroll", body, weights={"w": [2]})
    assert tried.after == {"Gather": 3, "Add": 3, "Mul": 3, "Unsqueeze": 3, "Concat": 1}
    assert tried.value["unrolled"][0]["steps"] == 3
    assert tried.value["left"] == []
    assert tried.error == 0


@pytest.mark.parametrize("opset", [9, 11, 13, 18, 21])
def test_axes_and_directions(try_text, opset):
    body = """(float[2,5] x, float[4,5,2] z, float[2] s) => (float[2] last, float[2,5] y, float[4,2,5] v) {
        last, y, v = Scan<num_scan_inputs=2, scan_input_axes=[1,1], scan_input_directions=[0,1],
            scan_output_axes=[1,2], scan_output_directions=[1,0],
            body = step (float[2] s1, float[2] xt, float[4,2] zt) => (float[2] s2, float[2] yt, float[4,2] vt) {
                s2 = Sub(xt, s1)  yt = Tanh(s2)  vt = Mul(zt, s2) }>(s, x, z)
    }"""
    tried = try_text("unroll", body, opset=opset)
    assert "Scan" not in tried.after
    assert tried.error == 0


def test_negative_axes(try_text):
    body = """(float[2,5] x, float[2] s) => (float[2,5] y) {
        last, y = Scan<num_scan_inputs=1, scan_input_axes=[-1], scan_output_axes=[-1],
            body = step (float[2] s1, float[2] xt) => (float[2] s2, float[2] yt) {
                s2 = Sub(xt, s1)  yt = Tanh(s2) }>(s, x)
    }"""
    tried = try_text("unroll", body)
    assert tried.after["Concat"] == 1
    assert tried.error == 0


LOOP = """(float[2] s) => (float[2] last, float[4,2] y) <int64 four = {4}, bool yes = {1}> {
    last, y = Loop<body = step (int64 i, bool go, float[2] a) => (bool on, float[2] b, float[2] r) {
        on = Identity(go)  f = Cast<to=1>(i)  b = Add(a, f)  r = Mul(b, w) }>(COUNT, yes, s)
}"""


def test_loop(try_text):
    tried = try_text("unroll", LOOP.replace("COUNT", "four"), weights={"w": [2]})
    assert "Loop" not in tried.after
    assert tried.after["Cast"] == 4
    assert tried.error == 0


def test_unused_outputs_are_dropped(try_text):
    body = f"(float[3,2] x, float[2] s) => (float[2] last) {{ last, y = Scan<num_scan_inputs=1, {SUM}>(s, x) }}"
    tried = try_text("unroll", body, weights={"w": [2]})
    assert tried.after == {"Gather": 3, "Add": 3}


def test_loops_in_loops_and_branches(try_text):
    """The inner loop reads the outer one's state and a weight of the main graph; its length is known once the outer
    loop is gone."""
    body = f"""(float[3,4,2] x, float[2] s) => (float[3,2] y) {{
        last, y = Scan<num_scan_inputs=1,
            body = outer (float[2] a, float[4,2] xs) => (float[2] a2, float[2] r) {{
                a1, ys = Scan<num_scan_inputs=1, {SUM}>(a, xs)
                m = ReduceMax<keepdims=0>(a1)  zero = Constant<value = float {{0.0}}>()  big = Greater(m, zero)
                a2 = If<then_branch = t () => (float[2] p) {{ p = Add(a1, a) }},
                        else_branch = e () => (float[2] q) {{ k = Neg(a)  q = Sub(k, a1) }}>(big)
                r = Tanh(a2) }}>(s, x)
    }}"""
    tried = try_text("unroll", body, weights={"w": [2]})
    assert "Scan" not in tried.after
    assert tried.after["If"] == 3
    assert [each["steps"] for each in tried.value["unrolled"]] == [3, 4, 4, 4]
    assert tried.error == 0


def test_states_that_change_places_and_results_from_outside(try_text):
    body = """(float[3,2] x, float[2] s, float[2] z) => (float[2] a, float[2] b, float[3,2] y) {
        a, b, y = Scan<num_scan_inputs=1,
            body = step (float[2] p, float[2] q, float[2] xt) => (float[2] p2, float[2] q2, float[2] yt) {
                p2 = Identity(q)  q2 = Add(p, xt)  yt = Identity(z) }>(s, z, x)
    }"""
    tried = try_text("unroll", body)
    assert "Scan" not in tried.after
    assert tried.error == 0


def test_what_all_steps_compute_alike_is_computed_once(try_text):
    body = """(float[3,2] x, float[2] s) => (float[2] last) {
        last = Scan<num_scan_inputs=1, body = step (float[2] a, float[2] xt) => (float[2] b)
            <float[2,2] k = {1.0, 2.0, 3.0, 4.0}> {
                t = Transpose(k)  m = MatMul(t, xt)  b = Add(a, m) }>(s, x)
    }"""
    tried = try_text("unroll", body)
    assert tried.after == {"Transpose": 1, "Gather": 3, "MatMul": 3, "Add": 3}
    assert tried.error == 0


def test_two_loops_without_names(try_text):
    body = f"""(float[3,2] x, float[2] s) => (float[2] last, float[3,2] v) {{
        m, y = Scan<num_scan_inputs=1, {SUM}>(s, x)
        last, v = Scan<num_scan_inputs=1, {AGAIN}>(m, y)
    }}"""
    tried = try_text("unroll", body, weights={"w": [2]})
    assert "Scan" not in tried.after
    assert tried.error == 0


ENDLESS = LOOP.replace("float[4,2]", "float[N,2]")
SCANNED = f"(float[LENGTH,2] x, float[2] s) => (float[2] last) {{ last, y = Scan<num_scan_inputs=1, {SUM}>(s, x) }}"
STAY = [
    (ENDLESS.replace("float[2] s)", "float[2] s, int64 n)").replace("COUNT", "n"), "not a constant"),
    (ENDLESS.replace("Identity(go)", "Not(go)").replace("COUNT", "four"), "computed condition"),
    (SCANNED.replace("LENGTH", "T"), "the free dim T"),
    (SCANNED.replace("LENGTH", "9000"), "the limit is 20000"),
]


@pytest.mark.parametrize(("body", "reason"), STAY)
def test_other_loops_stay_and_say_why(bench, body, reason):
    from dlpipe.passes.registry import pass_call

    text = f'<ir_version: 8, opset_import: ["" : 18]> g {body}'
    ir = bench.make_ir(bench.build(text, weights={"w": [2]}))
    value, out = bench.run(pass_call("unroll"), ir=ir)
    assert not value["modified"]
    assert reason in value["left"][0]["reason"]
    assert (out / "model.onnx").read_bytes() == (ir / "model.onnx").read_bytes()


def test_the_limit_is_a_parameter(try_text):
    body = f"(float[3,2] x, float[2] s) => (float[2] last) {{ last, y = Scan<num_scan_inputs=1, {SUM}>(s, x) }}"
    tried = try_text("unroll", body, params={"limit": 10}, weights={"w": [2]})
    assert not tried.value["modified"]

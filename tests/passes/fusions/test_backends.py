"""A transformer's layer, fused, on every backend of this machine: what it took before the fusions it takes after."""

from __future__ import annotations

import shutil
from collections import Counter

import numpy as np
import pytest

from dlpipe.ir.calls import describe_call
from dlpipe.passes.registry import STANDARD, pass_call
from dlpipe.targets.registry import backend, target

NUMBERS = """<float half = {0.5}, float one = {1.0}, float two = {2.0}, float root = {0.70710677},
    float eps = {0.00001}, int64[4] heads = {1, 6, 2, 8}, int64[3] side = {1, 6, 16}>"""


LAYER = f"""<ir_version: 8, opset_import: ["" : 17]> g (float[1,6,16] x) => (float[1,6,16] y) {NUMBERS} {{
    m = ReduceMean<axes = [-1]>(x)  d = Sub(x, m)  dd = Pow(d, two)  var = ReduceMean<axes = [-1]>(dd)
    e1 = Add(var, eps)  e2 = Sqrt(e1)  e3 = Div(d, e2)  e4 = Mul(e3, gain)  n = Add(e4, bias)
    qm = MatMul(n, wq)  km = MatMul(n, wk)  vm = MatMul(n, wv)
    q1 = Reshape(qm, heads)  k1 = Reshape(km, heads)  v1 = Reshape(vm, heads)
    q = Transpose<perm = [0,2,1,3]>(q1)  k = Transpose<perm = [0,2,3,1]>(k1)  v = Transpose<perm = [0,2,1,3]>(v1)
    s1 = MatMul(q, k)  s2 = Mul(s1, half)  s3 = Add(s2, mask)  p = Softmax<axis = -1>(s3)  o1 = MatMul(p, v)
    o2 = Transpose<perm = [0,2,1,3]>(o1)  o3 = Reshape(o2, side)  o4 = MatMul(o3, wo)  h = Add(o4, x)
    f1 = MatMul(h, w1)  f2 = Mul(f1, root)  f3 = Erf(f2)  f4 = Add(f3, one)  f5 = Mul(f1, f4)  f6 = Mul(f5, half)
    f7 = MatMul(f6, w2)  y = Add(f7, h) }}"""
WEIGHTS = {
    **{name: [16, 16] for name in ("wq", "wk", "wv", "wo")},
    "w1": [16, 32],
    "w2": [32, 16],
    "gain": [16],
    "bias": [16],
    "mask": [6, 6],
}


@pytest.fixture(scope="module")
def fused(bench):
    """(IR before, IR after the standard passes, samples)."""
    ir = bench.make_ir(bench.build(LAYER, weights=WEIGHTS, scale=0.5))
    after = ir
    for name in STANDARD:
        _, after = bench.run(pass_call(name), ir=after)
    return ir, after, bench.samples(ir, 2)


def test_fused(bench, fused):
    found = Counter(bench.run(describe_call(), ir=fused[1])[0]["operators"])
    assert {name: found[name] for name in ("Attention", "Gelu", "LayerNormalization", "Softmax", "Erf")} == {
        "Attention": 1,
        "Gelu": 1,
        "LayerNormalization": 1,
        "Softmax": 0,
        "Erf": 0,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", target("x86-64").backends)
def test_every_backend_takes_it(bench, fused, name):
    original, ir, samples = fused
    tool, machine = backend(name), target("x86-64")
    for step in tool.lowering(bench.run(describe_call(), ir=ir)[0]):
        _, ir = bench.run(pass_call(step.name, **step.params), ir=ir)
    assert tool.refusals(machine, "fp32", bench.run(describe_call(), ir=ir)[0]) == []
    _, artifact = bench.run(tool.compile_call(machine, "fp32"), ir=ir)
    shutil.copyfile(ir / "contract.json", artifact / "contract.json")
    _, out = bench.run(tool.run_call(machine, "fp32"), artifact=artifact, samples=samples)
    expected = bench.outputs(original, samples)["y"]
    with np.load(out / "outputs.npz") as archive:
        assert np.abs(archive["y"] - expected).max() < 1e-4 * np.abs(expected).max()

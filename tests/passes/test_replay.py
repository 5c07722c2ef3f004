"""The same input gives the same bytes, whatever the hash seed: every pass that says it is deterministic."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from dlpipe.errors import DlpipeError
from dlpipe.passes.registry import pass_call, pass_info, passes
from dlpipe.toolchains import layout
from dlpipe.toolchains.pool import WorkerPool

DETERMINISTIC = [
    name
    for name in passes()
    if pass_call(name).stage_class == "deterministic" and set(pass_info(name).needs) <= {"samples"}
]
# Something for each of them: a convolutional part, attention, GELU and a norm written out, a loop, duplicates, what
# nobody reads.
MODEL = """<ir_version: 8, opset_import: ["" : 18]> g (float[2,4,4,4] x) => (float[2,128] y)
<float root = {0.70710677}, float half = {0.5}, float one = {1.0}, float two = {2.0}, float eps = {0.00001},
 int64[1] last = {-1}, int64[3] sequence = {2, 16, 128}, int64[4] heads = {0, 0, 2, 64}, int64[3] side = {0, 0, 128},
 int64[1] places = {1}, int64 three = {3}, bool yes = {1}> {
    x0 = Mul(x, half)  c1 = Conv<pads = [1,1,1,1]>(x0, k1)  n1 = BatchNormalization(c1, g_positive, b, m, v_positive)
    i = Identity(n1)  r1 = Relu(i)  c2 = Conv<pads = [1,1,1,1]>(r1, k2)  s2 = Mul(c2, scale)  r2 = Relu(s2)
    t1 = Transpose<perm = [0,2,3,1]>(r2)  a1 = Sigmoid(t1)  t2 = Transpose<perm = [0,3,1,2]>(a1)
    u1 = Tanh(t2)  u2 = Tanh(t2)  u = Add(u1, u2)  dead = Neg(u)
    t3 = Transpose<perm = [0,2,3,1]>(u)  f = Reshape(t3, sequence)
    q1 = MatMul(f, wq)  k3 = MatMul(f, wk)  v1 = MatMul(f, wv)
    q2 = Reshape(q1, heads)  k4 = Reshape(k3, heads)  v2 = Reshape(v1, heads)
    q = Transpose<perm = [0,2,1,3]>(q2)  k = Transpose<perm = [0,2,3,1]>(k4)  v = Transpose<perm = [0,2,1,3]>(v2)
    e1 = MatMul(q, k)  e2 = Mul(e1, half)  p = Softmax<axis = -1>(e2)  o1 = MatMul(p, v)
    o2 = Transpose<perm = [0,2,1,3]>(o1)  o3 = Reshape(o2, side)  h1 = Add(o3, f)
    m1 = ReduceMean(h1, last)  d = Sub(h1, m1)  d2 = Pow(d, two)  var = ReduceMean(d2, last)  w1 = Add(var, eps)
    w2 = Sqrt(w1)  n2 = Div(d, w2)  n3 = Mul(n2, gamma)  n4 = Add(n3, beta)
    z1 = Mul(n4, root)  z2 = Erf(z1)  z3 = Add(z2, one)  z4 = Mul(n4, z3)  z5 = Mul(z4, half)
    j1 = MatMul(z5, again1)  j2 = MatMul(j1, again2)
    l = Loop<body = step (int64 at, bool go, float[2,16,128] before) => (bool on, float[2,16,128] after) {
        on = Identity(go)  after = Tanh(before) }>(three, yes, j2)
    mean = ReduceMean<keepdims = 0>(l, places)
    y = Gemm(mean, head, bias)
}"""
WEIGHTS = {
    **{name: [128] for name in ("g_positive", "b", "m", "v_positive", "gamma", "beta", "bias")},
    **{name: [128, 128] for name in ("wq", "wk", "wv", "again1", "again2", "head")},
    "k1": [128, 4, 3, 3],
    "k2": [128, 128, 3, 3],
    "scale": [128, 1, 1],
}
PARAMS = {
    "prune-channels": {"macs": 0.7},
    "opset": {"version": 21},
    "specialise": {"dims": {}},
    "extract": {"outputs": ["z5"]},
}


@pytest.fixture(scope="module")
def replayed(bench, toolchains, tmp_path_factory) -> dict[str, list[Any]]:
    """Pass -> what it made in each of two processes: (digests by file, whether it changed the model), or why not."""
    ir = bench.make_ir(bench.build(MODEL, weights=WEIGHTS, scale=0.1))
    inputs = {"ir": ir, "samples": bench.samples(ir, 4)}
    found: dict[str, list[Any]] = {name: [] for name in DETERMINISTIC}
    normal = layout._environ
    with pytest.MonkeyPatch.context() as patch:
        for seed in ("1", "2"):
            folder = tmp_path_factory.mktemp(f"seed{seed}")
            patch.setattr(layout, "_environ", lambda *given, seed=seed: {**normal(*given), "PYTHONHASHSEED": seed})
            with WorkerPool(toolchains, folder / "workers", keep_logs=folder / "logs") as pool:
                for name in DETERMINISTIC:
                    found[name].append(_run(pool, name, inputs, folder / name))
    return found


def _run(pool: WorkerPool, name: str, inputs: dict[str, Path], out: Path) -> Any:
    given = {key: inputs[key] for key in ("ir", *pass_info(name).needs)}
    try:
        value = pool.run(pass_call(name, **PARAMS.get(name, {})), given, out)
    except DlpipeError as error:
        return error.message
    made = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())}
    return made, value["modified"], value["changes"]


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_same_bytes(replayed, name):
    first, second = replayed[name]
    assert first == second
    assert isinstance(first, tuple), first


def test_there_is_something_to_do_for_almost_all(replayed):
    idle = {name for name, [first, _] in replayed.items() if not first[1]}
    assert idle <= {
        "layout",
        "reshapes",
        "fuse-activations",
        "fuse-rotary",
        "dedupe-weights",
        "decompose",
        "dead-code",
        "specialise",
    }

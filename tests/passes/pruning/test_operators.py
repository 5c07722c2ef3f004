"""How operators of other sets and in other surroundings are cut."""

from __future__ import annotations

import pytest

# Each: opset, and a graph in which w makes 8 channels of x, which may be cut.
GRAPHS = {
    "split-by-attribute": (
        11,
        "c = Conv(x, w)  a, b = Split<axis=1, split=[3,5]>(c)  g = Conv(a, v3)  h = Conv(b, v5)  y = Add(g, h)",
    ),
    "split-in-equal-parts": (
        18,
        "c = Conv(x, w)  a, b = Split<axis=1, num_outputs=2>(c)  g = Conv(a, v4)  h = Conv(b, u4)  y = Add(g, h)",
    ),
    "slice-by-attribute": (9, "c = Conv(x, w)  s = Slice<axes=[1], starts=[2], ends=[7]>(c)  y = Conv(s, v5)"),
    "slice-to-the-end": (13, "c = Conv(x, w)  s = Slice(c, i_two, i_huge, i_one)  y = Conv(s, v6)"),
    "slice-backwards": (13, "c = Conv(x, w)  s = Slice(c, i_last, i_least, i_one, i_back)  y = Conv(s, v8)"),
    "gather-of-channels": (13, "c = Conv(x, w)  s = Gather<axis=1>(c, i_some)  y = Conv(s, v4)"),
    "upsample": (9, 'c = Conv(x, w)  s = Upsample<mode="nearest">(c, scales)  y = Conv(s, v8)'),
    "resize-10": (10, 'c = Conv(x, w)  s = Resize<mode="nearest">(c, scales)  y = Conv(s, v8)'),
    "resize-channels": (13, 'c = Conv(x, w)  s = Resize<mode="nearest">(c, , widen)  y = Conv(s, v16)'),
    "pad-by-attribute": (7, "c = Conv(x, w)  s = Pad<pads=[0,0,1,1,0,0,1,1]>(c)  y = Conv(s, v8)"),
    "pad-with-axes": (18, "c = Conv(x, w)  s = Pad(c, i_border, , i_space)  y = Conv(s, v8)"),
    "squeeze-11": (11, "a = Conv(x, w)  c = GlobalAveragePool(a)  s = Squeeze<axes=[2,3]>(c)  y = MatMul(s, m)"),
    "softmax-11-behind": (11, "c = Conv(x, w)  s = Softmax<axis=2>(c)  y = Conv(s, v8)"),
    "softmax-11-flat": (11, "c = Conv(x, w)  s = Softmax<axis=1>(c)  y = Conv(s, v8)"),
    "dropout-6": (7, "c = Conv(x, w)  s = Dropout(c)  y = Conv(s, v8)"),
    "batch-norm-7": (7, "c = Conv(x, w)  s = BatchNormalization(c, e_positive, e, e, e_positive)  y = Conv(s, v8)"),
    "one-weight-twice": (13, "c = Conv(x, w)  a = Conv(c, q)  b = Conv(a, q)  y = Conv(b, v8)"),
    "one-weight-on-both-sides": (13, "c = Conv(x, w)  d = Conv(x, w)  s = Concat<axis=1>(c, d)  y = Conv(s, v16)"),
    "sum-of-three": (13, "a = Conv(x, w)  b = Conv(x, k)  c = Relu(a)  s = Sum(a, b, c)  y = Conv(s, v8)"),
    "where": (13, "a = Conv(x, w)  b = Conv(x, k)  p = Greater(a, b)  s = Where(p, a, b)  y = Conv(s, v8)"),
    "max-pool-with-places": (
        13,
        "c = Conv(x, w)  p, i = MaxPool<kernel_shape=[2,2]>(c)  f = Cast<to=1>(i)  y = Add(p, f)",
    ),
    "reduce-18": (18, "c = Conv(x, w)  s = ReduceMean(c, i_space)  y = Conv(s, v8)"),
    "reduce-over-channels": (13, "c = Conv(x, w)  s = ReduceMax<axes=[1]>(c)  y = Mul(c, s)"),
    "matrix-first": (13, "c = Conv(x, w)  f = Flatten<axis=2>(c)  t = MatMul(left, f)  y = Relu(t)"),
    "product-of-two": (13, "a = Conv(x, w)  b = Conv(x, k)  y = MatMul(a, b)"),
    "einsum": (13, 'c = Conv(x, w)  y = Einsum<equation="nchw->nhwc">(c)'),
    "depth-to-space": (13, "c = Conv(x, w)  d = DepthToSpace<blocksize=2>(c)  y = Conv(d, v2)"),
    "branches": (
        16,
        """c = Conv(x, w)  p = ReduceMax<keepdims=0>(c)  n = Greater(p, zero)
        s = If(n) <then_branch = t () => (float[1,8,6,6] a) { a = Relu(c) },
                   else_branch = e () => (float[1,8,6,6] b) { b = Neg(c) }>
        y = Conv(s, v8)""",
    ),
}
WEIGHTS = {
    **{f"v{count}": [4, count, 1, 1] for count in (2, 3, 4, 5, 6, 8, 16)},
    "w": [8, 3, 1, 1],
    "k": [8, 3, 1, 1],
    "u4": [4, 4, 1, 1],
    "q": [8, 8, 1, 1],
    "m": [8, 4],
    "e": [8],
    "left": [2, 8],
    "e_positive": [8],
}
INTS = {
    "i_two": [2],
    "i_huge": [2**31],
    "i_one": [1],
    "i_last": [7],
    "i_least": [-9],
    "i_back": [-1],
    "i_some": [0, 2, 4, 6],
    "i_border": [1, 1, 1, 1],
    "i_space": [2, 3],
}
CONSTANTS = """scales = Constant<value = float[4] {1, 1, 2, 2}>()  widen = Constant<value = float[4] {1, 2, 1, 1}>()
    zero = Constant<value = float {0}>()"""
STAY = {  # where nothing can be cut
    *("slice-backwards", "gather-of-channels", "resize-channels", "softmax-11-flat", "max-pool-with-places"),
    *("reduce-over-channels", "product-of-two", "einsum", "depth-to-space", "branches", "matrix-first"),
}


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_operators(name, bench, cut_at_random):
    opset, body = GRAPHS[name]
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g (float[1,3,6,6] x) => (float[] y) {{ {CONSTANTS} {body} }}'
    source = bench.build(text, weights=WEIGHTS, ints=INTS, scale=0.5)
    for seed in range(3):
        compared = cut_at_random(source, seed=seed)
        assert compared.error < 1e-4
        assert bool(compared.groups) == (name not in STAY)

"""One small symbol for each operator, made and executed by MXNet itself. Run by the mxnet toolchain: cases.py OUT.

Per case a folder: x-symbol.json, x-0000.params, x.npz with its inputs and outputs.
"""

import sys
from pathlib import Path

import mxnet as mx
import numpy as np

S, V = mx.sym, mx.sym.Variable
IMAGE, FLAT, WORDS = (2, 4, 9, 7), (2, 6), (2, 5)
x, y, z = V("x"), V("y"), V("z")
random = np.random.RandomState(3)


def normal(*shape):
    return random.standard_normal(shape).astype(np.float32)


def positive(*shape):
    return random.uniform(0.1, 0.9, shape).astype(np.float32)


def whole(low, high, *shape):
    return random.randint(low, high, shape).astype(np.float32)


def boxes(count, images=1):
    low = random.uniform(0, 0.7, (images, count, 2))
    return np.concatenate([low, low + random.uniform(0.05, 0.4, (images, count, 2))], 2).astype(np.float32)


CASES = {}


def case(name, symbol, **feeds):
    """feeds: arrays, or shapes to be filled with random numbers."""
    assert name not in CASES, name
    CASES[name] = (symbol, {key: normal(*value) if isinstance(value, tuple) else value for key, value in feeds.items()})


def convolutions():
    conv, deconv, pool = S.Convolution, S.Deconvolution, S.Pooling
    case("conv", conv(x, kernel=(3, 3), num_filter=6, pad=(1, 0), stride=(2, 1), name="a"), x=IMAGE)
    case("conv-group", conv(x, kernel=(3, 2), num_filter=8, num_group=4, dilate=(2, 1), no_bias=True), x=IMAGE)
    case("conv-1d", conv(x, kernel=(3,), num_filter=5, pad=(1,)), x=(2, 3, 8))
    case("conv-3d", conv(x, kernel=(2, 3, 3), num_filter=4, layout="NCDHW"), x=(1, 2, 4, 6, 6))
    case("deconv", deconv(x, kernel=(3, 3), num_filter=3, stride=(2, 2), pad=(1, 1), adj=(1, 1)), x=IMAGE)
    case("deconv-bias", deconv(x, kernel=(4, 4), num_filter=4, stride=(2, 2), num_group=2, no_bias=False), x=IMAGE)
    case("dense", S.FullyConnected(x, num_hidden=5), x=IMAGE)
    case("dense-last", S.FullyConnected(x, num_hidden=5, flatten=False, no_bias=True), x=(2, 3, 6))
    case("dense-last-bias", S.FullyConnected(x, num_hidden=5, flatten=False), x=(2, 3, 6))
    case("up-nearest", S.UpSampling(x, scale=2, sample_type="nearest"), x=IMAGE)
    up = S.UpSampling(S.Convolution(x, num_filter=4, kernel=(1, 1), name="one"), scale=2, sample_type="nearest")
    case("up-crop", S.Crop(up, y, num_args=2) + y, x=(1, 3, 4, 5), y=(1, 4, 7, 9))
    case("up-concat", S.UpSampling(x, y, scale=4, sample_type="nearest", num_args=2), x=(1, 2, 2, 3), y=(1, 3, 4, 6))
    up = S.UpSampling(x, y, scale=2, sample_type="nearest", num_args=2, multi_input_mode="sum")
    case("up-sum", up, x=(1, 2, 2, 3), y=(1, 2, 4, 6))
    case("up-bilinear", S.UpSampling(x, V("k"), scale=3, sample_type="bilinear", num_filter=4, num_args=2), x=IMAGE)
    for kind in ("max", "avg", "sum", "lp"):
        more = {"p_value": 2} if kind == "lp" else {}
        case(kind, pool(x, kernel=(3, 2), stride=(2, 2), pool_type=kind, **more), x=IMAGE)
        case(kind + "-global", pool(x, kernel=(1, 1), global_pool=True, pool_type=kind, **more), x=IMAGE)
        padded = pool(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type=kind, **more)
        case(kind + "-padded", padded, x=IMAGE)
        full = pool(x, kernel=(3, 3), stride=(2, 3), pad=(1, 0), pool_type=kind, pooling_convention="full", **more)
        case(kind + "-full", full, x=(2, 3, 10, 9))
    part = pool(x, kernel=(3, 3), stride=(2, 3), pad=(1, 1), pool_type="avg", count_include_pad=False)
    case("avg-uncounted", part, x=IMAGE)
    part = pool(
        x, kernel=(3, 3), stride=(2, 3), pad=(1, 1), pool_type="avg", count_include_pad=False, pooling_convention="full"
    )
    case("avg-uncounted-full", part, x=(1, 2, 10, 9))
    case("max-1d", pool(x, kernel=(3,), stride=(2,), pool_type="max"), x=(2, 3, 9))
    case("avg-3d", pool(x, kernel=(2, 2, 2), stride=(2, 2, 2), pool_type="avg"), x=(1, 2, 4, 6, 6))
    for kind in ("max", "avg", "sum"):
        old = S.Pooling_v1(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type=kind, pooling_convention="full")
        case(kind + "-v1", old, x=(1, 2, 10, 9))
    case("avg-v1-global", S.Pooling_v1(x, kernel=(2, 2), global_pool=True, pool_type="avg"), x=IMAGE)
    case("adaptive", S.contrib.AdaptiveAvgPooling2D(x, output_size=(4, 3)), x=IMAGE)
    case("adaptive-one", S.contrib.AdaptiveAvgPooling2D(x), x=IMAGE)


def normalisations():
    case("batchnorm", S.BatchNorm(x, fix_gamma=False, eps=1e-4), x=IMAGE)
    case("batchnorm-fixed", S.BatchNorm(x), x=IMAGE)
    case("batchnorm-last", S.BatchNorm(x, axis=3, fix_gamma=False), x=IMAGE)
    case("batchnorm-flat", S.BatchNorm(x, fix_gamma=False), x=FLAT)
    case("instancenorm", S.InstanceNorm(x, eps=1e-3), x=IMAGE)
    case("layernorm", S.LayerNorm(x), x=(2, 3, 6))
    case("layernorm-1", S.LayerNorm(x, axis=1, eps=1e-3), x=IMAGE)
    case("groupnorm", S.GroupNorm(x, num_groups=2, eps=1e-3), x=IMAGE)
    for mode in ("instance", "channel", "spatial"):
        case("l2-" + mode, S.L2Normalization(x, mode=mode, eps=1e-3), x=IMAGE)
    case("lrn", S.LRN(x, nsize=3, alpha=0.1, beta=0.6, knorm=1.5), x=IMAGE)


def activations():
    for kind in ("relu", "sigmoid", "tanh", "softrelu", "softsign"):
        case("act-" + kind, S.Activation(x, act_type=kind), x=IMAGE)
    for kind in ("leaky", "elu", "selu", "gelu", "rrelu", "prelu"):
        case("leaky-" + kind, S.LeakyReLU(x, act_type=kind, slope=0.3, name="p")[0], x=IMAGE)
    case("prelu-one", S.LeakyReLU(x, gamma=V("g", shape=(1,)), act_type="prelu"), x=IMAGE)
    case("prelu-flat", S.LeakyReLU(x, act_type="prelu"), x=FLAT)
    case("softmax", S.softmax(x, axis=1, temperature=2.0), x=IMAGE)
    case("softmax-length", S.softmax(x, y, use_length=True), x=(2, 5), y=np.array([2, 4], np.int32))
    case("log-softmax", S.log_softmax(x), x=FLAT)
    case("softmin", S.softmin(x), x=FLAT)
    case("softmax-activation", S.SoftmaxActivation(x), x=FLAT)
    case("softmax-channel", S.SoftmaxActivation(x, mode="channel"), x=IMAGE)
    case("softmax-output", S.SoftmaxOutput(x, name="s"), x=FLAT)
    case("softmax-output-multi", S.SoftmaxOutput(x, multi_output=True, name="s"), x=IMAGE)
    case("softmax-output-last", S.SoftmaxOutput(x, preserve_shape=True, name="s"), x=IMAGE)
    case("logistic", S.LogisticRegressionOutput(x, name="s"), x=FLAT)
    case("linear", S.LinearRegressionOutput(x * 2, name="s"), x=FLAT)
    case("losses", S.Group([S.MakeLoss(x + 1), S.BlockGrad(x), S.Dropout(x - 1, p=0.3)]), x=FLAT)
    case("hard-sigmoid", S.hard_sigmoid(x, alpha=0.3, beta=0.4), x=FLAT)


def arithmetic():
    for name in [
        "abs",
        "arctan",
        "arcsinh",
        "cbrt",
        "ceil",
        "cos",
        "cosh",
        "degrees",
        "erf",
        "exp",
        "expm1",
        "fix",
        "floor",
        "negative",
        "radians",
        "relu",
        "rint",
        "round",
        "sigmoid",
        "sign",
        "sin",
        "sinh",
        "softsign",
        "square",
        "tan",
        "tanh",
        "trunc",
        "zeros_like",
        "ones_like",
    ]:
        case("f-" + name, getattr(S, name)(x), x=2 * normal(3, 4))
    for name in [
        "arccos",
        "arcsin",
        "arctanh",
        "log",
        "log10",
        "log1p",
        "log2",
        "rcbrt",
        "reciprocal",
        "rsqrt",
        "sqrt",
    ]:
        case("f-" + name, getattr(S, name)(x), x=positive(3, 4))
    case("f-arccosh", S.arccosh(x), x=1 + positive(3, 4))
    case("f-rounding", S.Group([S.rint(x), S.round(x)]), x=np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32))
    case("f-not", S.logical_not(x), x=whole(0, 2, 3, 4))
    for word in ["add", "sub", "mul", "div", "power", "maximum", "minimum", "mod", "hypot"]:
        case("two-" + word, getattr(S, "broadcast_" + word)(x, y), x=positive(2, 3, 4), y=positive(1, 3, 1))
    case("two-mod-signs", S.broadcast_mod(x, y), x=normal(3, 4), y=normal(3, 4))
    for word in [
        "equal",
        "not_equal",
        "greater",
        "greater_equal",
        "lesser",
        "lesser_equal",
        "logical_and",
        "logical_or",
        "logical_xor",
    ]:
        case("two-" + word, getattr(S, "broadcast_" + word)(x, y), x=whole(0, 3, 3, 4), y=whole(0, 3, 3, 4))
    case("elementwise", (x + y) * (x - y) / (y * y + 1), x=FLAT, y=FLAT)
    case("numbers", (2 - (x + 1.5)) * 3 / 4 - 1, x=FLAT)
    case("numbers-first", 2 / (x**2 + 1), x=FLAT)
    case("numbers-power", S.Group([2**x, x % 0.7, 0.7 % (x + 5)]), x=FLAT)
    case("numbers-compare", S.Group([x > 1, x >= 1, x < 1, x <= 1, x == 1, x != 1]), x=whole(0, 3, 3, 4))
    case("numbers-limits", S.Group([S.maximum(x, 0.1), S.minimum(x, 0.1), S.hypot(x, 2)]), x=FLAT)
    case("add-n", S.add_n(x, y, x), x=FLAT, y=FLAT)
    case("clip", S.clip(x, -0.5, 0.7), x=FLAT)
    case("smooth-l1", S.smooth_l1(x, scalar=2.0), x=FLAT)
    case("cast", S.Cast(S.Cast(x * 3, dtype="int32"), dtype="float32"), x=FLAT)
    case("quadratic", S.contrib.quadratic(x, a=1.0, b=2.0, c=3.0), x=FLAT)
    case("div-sqrt-dim", S.contrib.div_sqrt_dim(x), x=(2, 3, 6))


def shapes():
    cube = (2, 12, 5, 3)
    for name, shape in {
        "copy": (0, -1, 3),
        "rest": (0, 12, -2),
        "merge": (0, -3, -2),
        "merge-batch": (-3, -2),
        "split": (0, -4, 3, -1, 0, 0),
        "split-2": (0, -4, -1, 4, -2),
        "flat": (-1,),
        "rows": (-1, 3),
    }.items():
        case("reshape-" + name, S.Reshape(x, shape=shape), x=cube)
    case("reshape-reverse", S.Reshape(x, shape=(-1, 0, 3), reverse=True), x=cube)
    case("flatten", S.Flatten(x), x=cube)
    case("transpose", S.Group([S.transpose(x), S.transpose(x, axes=(0, 2, 3, 1))]), x=cube)
    case("swap", S.SwapAxis(x, dim1=1, dim2=3), x=cube)
    case("dims", S.squeeze(S.expand_dims(x, axis=-1), axis=-1) + S.squeeze(S.expand_dims(x, axis=1), axis=1), x=cube)
    case("concat", S.Concat(x, y, dim=1), x=(2, 3, 4), y=(2, 5, 4))
    case("stack", S.stack(x, y, axis=1), x=FLAT, y=FLAT)
    case("split-equal", S.SliceChannel(x, num_outputs=3, axis=1), x=cube)
    case("split-squeeze", S.split(x, num_outputs=3, axis=3, squeeze_axis=True), x=cube)
    case("split-at", S.split_v2(x, indices_or_sections=(1, 3), axis=2), x=cube)
    case("split-sections", S.split_v2(x, indices_or_sections=3, axis=1), x=cube)
    case("slice-axis", S.slice_axis(x, axis=1, begin=-5, end=None), x=cube)
    case("slice", S.slice(x, begin=(None, 1, -3), end=(None, 9, None), step=(None, 2, 1)), x=cube)
    case("slice-back", S.slice(x, begin=(None, 8), end=(None, 2), step=(None, -2)), x=cube)
    case("slice-like", S.slice_like(x, y, axes=(1, 2)), x=cube, y=(2, 5, 4, 3))
    case("crop", S.Crop(x, y, num_args=2, center_crop=True), x=IMAGE, y=(2, 1, 4, 4))
    case("crop-offset", S.Crop(x, offset=(1, 2), h_w=(5, 4), num_args=1), x=IMAGE)
    case("flip", S.flip(x, axis=(1, 3)), x=cube)
    case("tile", S.tile(x, reps=(2, 1, 2)), x=(2, 3, 4))
    case("tile-more", S.tile(x, reps=(2, 1, 2)), x=(3, 4))
    case("repeat", S.repeat(x, repeats=3, axis=1), x=FLAT)
    case("repeat-flat", S.repeat(x, repeats=2), x=FLAT)
    for mode in ("constant", "edge", "reflect"):
        case("pad-" + mode, S.Pad(x, mode=mode, pad_width=(0, 0, 0, 0, 1, 2, 3, 1), constant_value=0.5), x=IMAGE)
    case("depth-space", S.depth_to_space(x, 2), x=(2, 8, 3, 4))
    case("space-depth", S.space_to_depth(x, 2), x=(2, 3, 4, 6))
    case("broadcast-axis", S.broadcast_axis(x, axis=(1, 3), size=(3, 2)), x=(2, 1, 4, 1))
    case("broadcast-to", S.broadcast_to(x, shape=(0, 3, 4)), x=(2, 1, 4))
    case("broadcast-like", S.broadcast_like(x, y), x=(2, 1, 4), y=(2, 3, 4))
    case("broadcast-like-axes", S.broadcast_like(x, y, lhs_axes=(1,), rhs_axes=(0,)), x=(2, 1, 4), y=(3, 2))
    case("reshape-like", S.reshape_like(x, y), x=(2, 12), y=(2, 3, 4))
    case(
        "reshape-like-part",
        S.reshape_like(x, y, lhs_begin=1, lhs_end=2, rhs_begin=1, rhs_end=3),
        x=(2, 12),
        y=(5, 3, 4),
    )
    case("shape-size", S.Group([S.shape_array(x), S.size_array(x)]), x=cube)
    case("diag", S.diag(x, k=1), x=(4, 5))
    case("diag-made", S.diag(x, k=-1), x=(4,))


def reductions():
    for op in ("sum", "mean", "max", "min", "prod", "nansum"):
        case("reduce-" + op, getattr(S, op)(x, axis=(1, 2), keepdims=True), x=IMAGE)
        case("reduce-" + op + "-all", getattr(S, op)(x), x=(3, 4))
    case("sum-exclude", S.sum(x, axis=1, exclude=True), x=IMAGE)
    case("norm", S.Group([S.norm(x, axis=1), S.norm(x, ord=1, axis=1, keepdims=True)]), x=FLAT)
    case("moments", S.moments(x, axes=(2, 3)), x=IMAGE)
    case("argmax", S.Group([S.argmax(x, axis=1), S.argmin(x, axis=-1, keepdims=True), S.argmax_channel(x)]), x=FLAT)
    case("argmax-all", S.argmax(x), x=(3, 4))
    case("topk", S.topk(x, k=3, axis=1), x=FLAT)
    case("topk-both", S.topk(x, k=3, ret_typ="both", is_ascend=True, dtype="int32"), x=FLAT)
    case("topk-mask", S.topk(x, k=2, ret_typ="mask"), x=FLAT)
    case("sort", S.Group([S.sort(x), S.sort(x, is_ascend=False, axis=0), S.argsort(x)]), x=FLAT)
    case("cumsum", S.Group([S.cumsum(x, axis=1), S.cumsum(x)]), x=(3, 4))


def lookups():
    case("embedding", S.Embedding(x, input_dim=9, output_dim=4), x=whole(0, 9, *WORDS))
    case("embedding-outside", S.Embedding(x, input_dim=4, output_dim=4), x=whole(-2, 9, *WORDS))
    case("take", S.take(V("w", shape=(7, 3)), x), x=whole(-2, 9, *WORDS))
    case("take-wrap", S.take(V("w", shape=(7, 3)), x, mode="wrap"), x=whole(-9, 19, *WORDS))
    case("take-axis", S.take(x, y, axis=1), x=(2, 6, 3), y=whole(0, 6, 4))
    case("pick", S.Group([S.pick(x, y), S.pick(x, y, keepdims=True)]), x=FLAT, y=whole(0, 6, 2))
    case("batch-take", S.batch_take(x, y), x=FLAT, y=np.array([1, 5], np.int32))
    case("gather-nd", S.gather_nd(x, y), x=(3, 4, 2), y=np.array([[0, 2, 1], [3, 0, 1]], np.float32))
    case("one-hot", S.one_hot(x, depth=5, on_value=2, off_value=-1), x=whole(-1, 7, *WORDS))
    case("where", S.where(x, y, z), x=whole(0, 2, 2, 6), y=FLAT, z=FLAT)
    case("where-rows", S.where(x, y, z), x=np.array([0, 1], np.float32), y=FLAT, z=FLAT)
    lengths = np.array([1, 4, 3], np.float32)
    for axis, shape in ((0, (5, 3, 2)), (1, (3, 5, 2))):
        mask = S.SequenceMask(x, y, use_sequence_length=True, value=-1, axis=axis)
        case(f"mask-{axis}", mask, x=shape, y=lengths)
        case(f"last-{axis}", S.SequenceLast(x, y, use_sequence_length=True, axis=axis), x=shape, y=lengths)
    case("last-plain", S.SequenceLast(x), x=(5, 3, 2))
    case("sequence-reverse", S.SequenceReverse(x, y, use_sequence_length=True), x=(5, 3, 2), y=lengths)
    case("filled", x + S.broadcast_add(S.ones((2, 1)) + S.full((2, 1), 0.5), S.zeros((2, 6))), x=FLAT)
    case("arange", S.broadcast_add(x, S.arange(1, 4, 0.5)), x=FLAT)
    case("arange-like", S.broadcast_add(x, S.contrib.arange_like(x, axis=1, start=1, step=2)), x=FLAT)
    case("arange-like-all", x + S.contrib.arange_like(x), x=FLAT)
    case("eye", S.dot(x, S.eye(6)), x=FLAT)


def products():
    case("dot", S.dot(x, y), x=FLAT, y=(6, 3))
    case("dot-turned", S.dot(x, y, transpose_a=True, transpose_b=True), x=(6, 2), y=(3, 6))
    case("dot-3d", S.dot(x, y), x=(2, 3, 6), y=(6, 4))
    case("batch-dot", S.batch_dot(x, y, transpose_b=True), x=(2, 3, 4), y=(2, 5, 4))
    case("gemm2", S.linalg.gemm2(x, y, alpha=0.5, transpose_a=True), x=(2, 4, 3), y=(2, 4, 5))
    case("gemm", S.linalg.gemm(x, y, z, alpha=0.5, beta=2.0), x=(2, 3, 4), y=(2, 4, 5), z=(2, 3, 5))
    heads, width, time = 2, 3, 5
    qkv = (time, 2, heads * width * 3)
    scores = S.contrib.interleaved_matmul_selfatt_qk(x, heads=heads)
    case("attention-scores", scores, x=qkv)
    case("attention", S.contrib.interleaved_matmul_selfatt_valatt(x, S.softmax(scores), heads=heads), x=qkv)
    scores = S.contrib.interleaved_matmul_encdec_qk(x, y, heads=heads)
    values = S.contrib.interleaved_matmul_encdec_valatt(y, S.softmax(scores), heads=heads)
    case("attention-cross", S.Group([scores, values]), x=(4, 2, heads * width), y=(time, 2, heads * width * 2))


def recurrent():
    for mode in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        for layers, both in ((1, False), (2, True)):
            states = (layers * (2 if both else 1), 2, 4)
            more = {"state_cell": V("c")} if mode == "lstm" else {}
            feeds = {"c": states} if mode == "lstm" else {}
            made = S.RNN(
                x,
                V("w"),
                V("h"),
                state_size=4,
                num_layers=layers,
                bidirectional=both,
                mode=mode,
                state_outputs=True,
                **more,
            )
            case(f"rnn-{mode}-{layers}", made, x=(5, 2, 3), h=states, **feeds)


def sampling():
    resize = S.contrib.BilinearResize2D
    case("resize", resize(x, height=13, width=5), x=IMAGE)
    case("resize-pixels", resize(x, height=13, width=5, align_corners=False), x=IMAGE)
    case("resize-scale", resize(x, scale_height=2.0, scale_width=1.5), x=IMAGE)
    case("resize-like", resize(x, y, mode="like"), x=IMAGE, y=(1, 1, 5, 12))
    grid = random.uniform(-1.2, 1.2, (2, 2, 5, 6)).astype(np.float32)
    case("sampler", S.BilinearSampler(x, y), x=IMAGE, y=grid)
    case("grid-affine", S.GridGenerator(x, transform_type="affine", target_shape=(5, 4)), x=(2, 6))
    case("grid-warp", S.GridGenerator(x, transform_type="warp"), x=(2, 2, 5, 6))
    turn = S.SpatialTransformer(x, y, target_shape=(5, 6), transform_type="affine", sampler_type="bilinear")
    case("transformer", turn, x=IMAGE, y=0.4 * normal(2, 6))
    rois = np.array([[0, 0, 0, 8, 8], [1, 2, 1, 14, 12], [0, 4, 4, 9, 15]], np.float32)
    case("roi-pool", S.ROIPooling(x, y, pooled_size=(3, 3), spatial_scale=0.5), x=(2, 3, 9, 9), y=rois)
    for aligned in (False, True):
        align = S.contrib.ROIAlign(x, y, pooled_size=(3, 2), spatial_scale=0.5, sample_ratio=2, aligned=aligned)
        case(f"roi-align-{int(aligned)}", align, x=(2, 3, 9, 9), y=rois)


def detection():
    case("prior", S.contrib.MultiBoxPrior(x, sizes=(0.3, 0.5), ratios=(1, 2, 0.5)), x=(1, 2, 4, 3))
    prior = S.contrib.MultiBoxPrior(x, sizes=(0.8,), ratios=(2, 1), clip=True, steps=(0.2, 0.3), offsets=(0.4, 0.6))
    case("prior-steps", prior, x=(1, 2, 4, 3))
    scores = random.dirichlet(np.ones(4), (2, 30)).transpose(0, 2, 1).astype(np.float32)
    anchors = boxes(30)
    for name, more in {
        "": {},
        "-force": {"force_suppress": True},
        "-threshold": {"threshold": 0.5},
        "-top": {"nms_topk": 9},
    }.items():
        found = S.contrib.MultiBoxDetection(x, y, z, **{"nms_threshold": 0.3, **more})
        case("detection" + name, found, x=scores, y=0.3 * normal(2, 120), z=anchors)
    rows = np.concatenate([whole(0, 3, 2, 30, 1), random.permutation(60).reshape(2, 30, 1) / 60.0, boxes(30, 2)], 2)
    rows = rows.astype(np.float32)
    for name, more in {
        "": {},
        "-class": {"id_index": 0},
        "-top": {"id_index": 0, "topk": 12},
        "-valid": {"valid_thresh": 0.4, "id_index": 0, "background_id": 0},
        "-centre": {"in_format": "center", "out_format": "center"},
        "-force": {"id_index": 0, "force_suppress": True},
    }.items():
        case("nms" + name, S.contrib.box_nms(x, overlap_thresh=0.3, score_index=1, coord_start=2, **more), x=rows)
    case("iou", S.contrib.box_iou(x, y), x=boxes(4)[0], y=boxes(5)[0])
    case("decode", S.contrib.box_decode(x, y, 0.1, 0.1, 0.2, 0.2, format="corner"), x=(2, 6, 4), y=boxes(6))


def write(out, name, symbol, feeds):
    folder = out / name
    folder.mkdir()
    shapes = {key: value.shape for key, value in feeds.items()}
    arguments, _, states = symbol.infer_shape(**shapes)
    made = {}
    for key, shape in zip(symbol.list_arguments(), arguments):
        if key not in feeds and "label" not in key:
            made["arg:" + key] = mx.nd.array(0.4 * normal(*shape))
    for key, shape in zip(symbol.list_auxiliary_states(), states):
        made["aux:" + key] = mx.nd.array(positive(*shape))
    mx.nd.save(str(folder / "x-0000.params"), made)
    symbol.save(str(folder / "x-symbol.json"))
    bound = {key: mx.nd.array(value, dtype=value.dtype) for key, value in feeds.items()}
    for key, shape in zip(symbol.list_arguments(), arguments):
        if key not in bound:
            bound[key] = made["arg:" + key] if "arg:" + key in made else mx.nd.zeros(shape)
    auxiliary = {key: made["aux:" + key] for key in symbol.list_auxiliary_states()}
    outputs = symbol.bind(mx.cpu(), args=bound, aux_states=auxiliary, grad_req="null").forward(is_train=False)
    arrays = {"in_" + key: value for key, value in feeds.items()}
    arrays.update({f"out_{index}": value.asnumpy() for index, value in enumerate(outputs)})
    np.savez(str(folder / "x.npz"), **arrays)


if __name__ == "__main__":
    for group in (
        *(convolutions, normalisations, activations, arithmetic, shapes, reductions),
        *(lookups, products, recurrent, sampling, detection),
    ):
        group()
    failed = []
    for name, (symbol, feeds) in CASES.items():
        try:
            write(Path(sys.argv[1]), name, symbol, feeds)
        except Exception as error:  # noqa: BLE001  told together, so that one run shows all
            failed.append(f"{name}: {error}")
    if failed:
        sys.exit("\n".join(failed))

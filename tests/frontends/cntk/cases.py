"""One small model for each function of CNTK and each way it is written: its inputs, and the expression that makes it.

In the expressions: C is CNTK, p(...) makes weights of that shape, v(...) positive ones; the input `s` is a sequence.
"""

from __future__ import annotations

Shapes = dict[str, tuple[int, ...]]

IMAGE = {"x": (3, 8, 7)}
ROWS = {"x": (3, 4)}
PAIR = {"x": (3, 4), "y": (3, 4)}
STEPS = {"s": (4,)}
_UNARY = [
    "negate",
    "sigmoid",
    "tanh",
    "relu",
    "exp",
    "floor",
    "abs",
    "sin",
    "cos",
    "sinh",
    "cosh",
    "asin",
    "acos",
    "atan",
    "asinh",
    "atanh",
    "tan",
    "softplus",
    "softsign",
    "ceil",
    "round",
    "square",
    "elu",
    "selu",
    "leaky_relu",
    "hard_sigmoid",
    "softmax",
    "hardmax",
    "log_softmax",
    "stop_gradient",
    "ones_like",
    "zeros_like",
]
CASES: dict[str, tuple[Shapes, str]] = {
    **{name: (ROWS, f"C.{name}(x{', 0.2, 0.5' if name == 'hard_sigmoid' else ''})") for name in _UNARY},
    "log, sqrt, reciprocal": (ROWS, "C.splice(C.log(C.abs(x)+1), C.sqrt(C.abs(x)), C.reciprocal(x + 2))"),
    "arithmetic": (PAIR, "x * y - x / (y + 2) + C.pow(C.abs(x), y)"),
    "comparisons": (
        PAIR,
        (
            "C.splice(C.less(x, y), C.less_equal(x, y), C.greater(x, y), C.greater_equal(x, y), "
            "C.equal(x, x), C.not_equal(x, y))"
        ),
    ),
    "max, min, select": (
        PAIR,
        ("C.splice(C.element_max(x, y), C.element_min(x, y), C.element_select(C.greater(x, 0), x, y))"),
    ),
    "clip": (ROWS, "C.clip(x, -0.3, 0.4)"),
    "log_add_exp": (PAIR, "C.log_add_exp(x * 50, y)"),
    "prelu": (ROWS, "C.param_relu(p(3, 4), x)"),
    "broadcasting of ranks": ({"x": (3, 4), "y": (4,)}, "x + y"),
    "broadcasting of a sequence": ({"s": (4,), "y": (4,)}, "s * C.sequence.broadcast_as(y, s) + p(4)"),
    "dropout": (ROWS, "C.dropout(x, 0.4)"),
    "cos distance": (PAIR, "C.cosine_distance(x, y)"),
    "softmax along an axis": (ROWS, "C.softmax(x, axis=0)"),
    "reduce sum": (IMAGE, "C.reduce_sum(x, axis=1)"),
    "reduce mean": (IMAGE, "C.reduce_mean(x, axis=1)"),
    "reduce max": (IMAGE, "C.reduce_max(x, axis=1)"),
    "reduce min": (IMAGE, "C.reduce_min(x, axis=1)"),
    "reduce prod": (IMAGE, "C.reduce_prod(x, axis=1)"),
    "reduce log_sum_exp": (IMAGE, "C.reduce_log_sum_exp(x, axis=1)"),
    "reduce l1": (IMAGE, "C.reduce_l1(x, axis=1)"),
    "reduce l2": (IMAGE, "C.reduce_l2(x, axis=1)"),
    "reduce all": (IMAGE, "C.reduce_mean(x)"),
    "reduce two axes": (IMAGE, "C.reduce_sum(x, axis=(0, 2), keepdims=False)"),
    "argmax": (IMAGE, "C.argmax(x, axis=0)"),
    "argmin": (IMAGE, "C.argmin(x, axis=2)"),
    "top k": (ROWS, "C.combine(C.top_k(x, 2).outputs)"),
    "reshape": (IMAGE, "C.reshape(x, (7, 24))"),
    "reshape with an open axis": (IMAGE, "C.reshape(x, (6, -1))"),
    "reshape of some axes": (IMAGE, "C.reshape(x, (4, 2), 1, 2)"),
    "flatten": (IMAGE, "C.flatten(x)"),
    "expand and squeeze": (ROWS, "C.squeeze(C.expand_dims(C.expand_dims(x, 0), 2))"),
    "transpose": (IMAGE, "C.transpose(x, (1, 2, 0))"),
    "swap": (IMAGE, "C.swapaxes(x, 0, 2)"),
    "slice": (IMAGE, "C.slice(x, 1, 2, -1)"),
    "slice of two axes": (IMAGE, "C.slice(x, [0, 2], [1, 0], [0, 6], [1, 2])"),
    "splice": (PAIR, "C.splice(x, y, axis=0)"),
    "splice on a new axis": (PAIR, "C.splice(x, y, axis=-3)"),
    "splice with a constant": (ROWS, "C.splice(x, p(3, 4), axis=1)"),
    "pad": (ROWS, "C.pad(x, [(1, 1), (0, 2)], C.ops.CONSTANT_PAD, 0.5)"),
    "pad by reflection": (ROWS, "C.pad(x, [(1, 1), (0, 2)], C.ops.REFLECT_PAD)"),
    "gather": ({"i": (2,)}, "C.gather(p(5, 4), i * 0 + 3)"),
    "one hot": ({"i": (2,)}, "C.one_hot(i * 0 + 3, 5)"),
    "depth to space": ({"x": (8, 3, 2)}, "C.depth_to_space(x, 2)"),
    "space to depth": ({"x": (2, 6, 4)}, "C.space_to_depth(x, 2)"),
    "image scaler": (IMAGE, "C.image_scaler(x, 0.5, [1, 2, 3])"),
    "crop": ({"x": (3, 8, 7), "y": (3, 4, 5)}, "C.crop_manual(x, y, 1, 2)"),
    "times": ({"x": (4,)}, "C.times(x, p(4, 3))"),
    "times over axes": (IMAGE, "C.times(x, p(3, 8, 7, 5))"),
    "times to axes": (ROWS, "C.times(x, p(4, 2, 5), output_rank=2)"),
    "times of two inputs": ({"x": (3, 4), "y": (4, 2)}, "C.times(x, y)"),
    "times transposed": ({"x": (3, 4), "y": (2, 4)}, "C.times_transpose(x, y)"),
    "dense": (IMAGE, ("C.layers.Sequential([C.layers.Dense(6, activation=C.relu), C.layers.Dense((2, 3))])(x)")),
    "dense on a sequence": (STEPS, "C.layers.Dense(3)(s)"),
    "embedding": (STEPS, "C.layers.Embedding(3)(s)"),
    "convolution": (IMAGE, "C.layers.Convolution2D((3, 3), 4)(x)"),
    "convolution padded": (IMAGE, "C.layers.Convolution2D((3, 3), 4, pad=True, strides=2)(x)"),
    "convolution of an even kernel": (IMAGE, "C.layers.Convolution2D((4, 2), 4, pad=True, strides=(2, 1))(x)"),
    "convolution with large strides": (IMAGE, "C.layers.Convolution2D((1, 1), 4, pad=True, strides=3)(x)"),
    "convolution in groups": (
        {"x": (4, 6, 5)},
        "C.convolution(p(6, 2, 3, 3), x, groups=2, auto_padding=[False, True, True])",
    ),
    "convolution of a sequence's steps": ({"s": (3, 6, 5)}, "C.layers.Convolution2D((3, 3), 2, pad=True)(s)"),
    "convolution by given pads": (IMAGE, "C.convolution(p(4, 3, 3, 3), x, auto_padding=[False, False, False])"),
    "convolution in one dim": ({"x": (3, 8)}, "C.layers.Convolution1D(3, 4, pad=True)(x)"),
    "convolution along a sequence": (STEPS, "C.layers.SequentialConvolution(3, 2)(s)"),
    "convolution along a sequence, padded": (STEPS, "C.layers.SequentialConvolution(3, 2, pad=True)(s)"),
    "convolution along a sequence of rows": (
        {"s": (2, 6)},
        "C.layers.SequentialConvolution((3, 3), 2, pad=True)(s)",
    ),
    "convolution in three dims": ({"x": (2, 5, 6, 4)}, "C.layers.Convolution3D((3, 3, 3), 2)(x)"),
    "transposed convolution": (IMAGE, "C.layers.ConvolutionTranspose2D((3, 3), 4, strides=2)(x)"),
    "transposed convolution padded": (IMAGE, "C.layers.ConvolutionTranspose2D((3, 3), 4, strides=2, pad=True)(x)"),
    "transposed convolution to a size": (
        IMAGE,
        ("C.layers.ConvolutionTranspose2D((3, 3), 4, strides=2, pad=True, output_shape=(16, 14))(x)"),
    ),
    "Max pooling plain": (IMAGE, "C.layers.MaxPooling((3, 2), 2)(x)"),
    "Max pooling padded": (IMAGE, "C.layers.MaxPooling((3, 2), 2, pad=True)(x)"),
    "Max pooling overlapping": (IMAGE, "C.layers.MaxPooling((3, 2), 1, pad=True)(x)"),
    "Average pooling plain": (IMAGE, "C.layers.AveragePooling((3, 2), 2)(x)"),
    "Average pooling padded": (IMAGE, "C.layers.AveragePooling((3, 2), 2, pad=True)(x)"),
    "Average pooling overlapping": (IMAGE, "C.layers.AveragePooling((3, 2), 1, pad=True)(x)"),
    "pooling rounded up": (IMAGE, "C.pooling(x, C.MAX_POOLING, (3, 3), (2, 2), ceil_out_dim=True)"),
    "average with its padding": (IMAGE, "C.pooling(x, C.AVG_POOLING, (3, 3), (2, 2), [True], include_pad=True)"),
    "global pooling": (IMAGE, "C.splice(C.layers.GlobalMaxPooling()(x), C.layers.GlobalAveragePooling()(x))"),
    "batch normalisation": (
        IMAGE,
        "C.batch_normalization(x, p(3), p(3), p(3), v(3), True, running_count=C.constant(0.))",
    ),
    "batch normalisation of vectors": (
        {"x": (4,)},
        ("C.batch_normalization(x, p(4), p(4), p(4), v(4), False, epsilon=0.01, running_count=C.constant(0.))"),
    ),
    "layer normalisation": (ROWS, "C.layers.LayerNormalization()(x)"),
    "local response": (IMAGE, "C.local_response_normalization(x, 1, 1.0, 0.5, 0.75)"),
    "mean and variance": (IMAGE, "C.mean_variance_normalization(x)"),
    "roi pooling": (
        {"x": (3, 12, 12), "r": (2, 4)},
        "C.roipooling(x, r * 0 + [[1, 2, 7, 9], [0, 0, 11, 5]], C.MAX_POOLING, (3, 2), 1.0)",
    ),
    "a block of the user's": (ROWS, "C.layers.Sequential([C.relu, C.layers.Dense(3, name='named')])(x)"),
    "first, last": (STEPS, "C.combine(C.sequence.first(s), C.sequence.last(s))"),
    "past value": (STEPS, "C.sequence.past_value(s)"),
    "past value of three steps": (STEPS, "C.sequence.past_value(s, 0.5, 3)"),
    "future value": (STEPS, "C.sequence.future_value(s, C.constant([1, 2, 3, 4]), 2)"),
    "slice of a sequence": (STEPS, "C.sequence.slice(s, 1, 4)"),
    "is first, is last": (STEPS, "C.splice(C.sequence.is_first(s), C.sequence.is_last(s), s)"),
    "sum over a sequence": (STEPS, "C.sequence.reduce_sum(s)"),
    "softmax over a sequence": (STEPS, "C.sequence.softmax(s)"),
    "max over a sequence": (STEPS, "C.sequence.reduce_max(s)"),
    "unpacked": (STEPS, "C.sequence.unpack(s, 0, no_mask_output=True)"),
    "to a sequence": (ROWS, "C.layers.Dense(2)(C.to_sequence(x))"),
    "rnn": (STEPS, "C.layers.Recurrence(C.layers.RNNStep(3))(s)"),
    "lstm": (STEPS, "C.layers.Recurrence(C.layers.LSTM(3))(s)"),
    "lstm of cuDNN": (STEPS, "C.layers.Dense(2)(C.optimized_rnnstack(s, p(4 * 3 * 9), 3, 1))"),
    "layers of cuDNN, both ways": (
        STEPS,
        "C.optimized_rnnstack(s, p(2 * 4 * 3 * 9 + 2 * 4 * 3 * 11), 3, 2, bidirectional=True)",
    ),
    "rnn of cuDNN": (STEPS, "C.optimized_rnnstack(s, p(3 * 9), 3, 1, recurrent_op='rnnReLU')"),
    "lstm with peepholes": (STEPS, "C.layers.Recurrence(C.layers.LSTM(3, use_peepholes=True))(s)"),
    "lstm with projection": (STEPS, "C.layers.Recurrence(C.layers.LSTM(3, cell_shape=5))(s)"),
    "lstm with an initial state": (STEPS, "C.layers.Recurrence(C.layers.LSTM(3), initial_state=0.3)(s)"),
    "gru": (STEPS, "C.layers.Recurrence(C.layers.GRU(3))(s)"),
    "backwards": (STEPS, "C.layers.Recurrence(C.layers.GRU(3), go_backwards=True)(s)"),
    "both ways": (
        STEPS,
        (
            "C.splice(C.layers.Recurrence(C.layers.LSTM(3))(s), C.layers.Recurrence(C.layers.LSTM(2), "
            "go_backwards=True)(s))"
        ),
    ),
    "two layers": (
        STEPS,
        (
            "C.layers.Sequential([C.layers.Recurrence(C.layers.LSTM(3)), "
            "C.layers.Recurrence(C.layers.LSTM(2)), C.sequence.last, C.layers.Dense(2)])(s)"
        ),
    ),
    "fold": (STEPS, "C.layers.Fold(C.layers.GRU(3))(s)"),
    "a recurrence over two steps": (
        STEPS,
        (
            "(lambda h: h.replace_placeholders({h.placeholders[0]: h.output}))(C.tanh(s + "
            "C.sequence.past_value(C.placeholder(), 0.1, 2) * p(4)))"
        ),
    ),
}

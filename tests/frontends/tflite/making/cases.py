"""kind -> name -> (function, shape or (shape, dtype) of each input)."""

from typing import Any

import numpy as np
import tensorflow as tf

_RANDOM = np.random.default_rng(7)
IMAGE = (1, 9, 7, 4)
MATRIX = (3, 5)
INT, LONG, BOOL = tf.int32, tf.int64, tf.bool


def _w(*shape: int) -> Any:
    return tf.constant(_RANDOM.standard_normal(shape).astype(np.float32) * 0.4)


def _conv(shape: Any, strides: Any = 1, padding: str = "SAME", dilations: Any = 1, after: Any = None) -> Any:
    weights, bias = _w(*shape), _w(shape[-1])

    def run(x: Any) -> Any:
        made = tf.nn.conv2d(x, weights, strides, padding, dilations=dilations) + bias
        return after(made) if after else made

    return run


def _depthwise(shape: Any, strides: int = 1, padding: str = "SAME", dilations: Any = None) -> Any:
    weights, bias = _w(*shape), _w(shape[2] * shape[3])
    steps = [1, strides, strides, 1]
    return lambda x: tf.nn.depthwise_conv2d(x, weights, steps, padding, dilations=dilations) + bias


def _transposed(size: Any, strides: int, padding: str, kernel: int = 3) -> Any:
    weights, bias = _w(kernel, kernel, 5, 4), _w(5)
    return lambda x: tf.nn.conv2d_transpose(x, weights, [1, *size, 5], strides, padding) + bias


def _dense(units: int, width: int, after: Any = None) -> Any:
    weights, bias = _w(width, units), _w(units)
    return lambda x: (after or tf.identity)(tf.matmul(x, weights) + bias)


def _lstm(cell: Any, *, both: bool = False, sequences: bool = True, units: int = 6) -> Any:
    layer = cell(units, return_sequences=sequences)
    model = tf.keras.Sequential(
        [tf.keras.Input((5, 4), batch_size=1), tf.keras.layers.Bidirectional(layer) if both else layer]
    )
    for weight in model.weights:
        weight.assign(_w(*weight.shape))
    return lambda x: model(x, training=False)


def _loop(x: Any) -> Any:
    def body(i: Any, state: Any) -> Any:
        return i + 1, state * 0.5 + tf.cast(i, tf.float32)

    return tf.while_loop(lambda i, state: i < 4, body, [tf.constant(0), x])[1]


def _branch(x: Any, flag: Any) -> Any:
    return tf.cond(flag, lambda: x * 2.0 + 1.0, lambda: tf.nn.relu(x))


def _suppress(operator: Any, **more: Any) -> Any:
    def run(boxes: Any, scores: Any) -> Any:
        corner = tf.abs(boxes[:, :2])
        whole = tf.concat([corner, corner + tf.abs(boxes[:, 2:]) + 0.5], 1)
        kept = {"max_output_size": 8, "iou_threshold": 0.3, "score_threshold": -0.5, "pad_to_max_output_size": True}
        return list(operator(boxes=whole, scores=scores, **kept, **more))

    return run


_UNARY = {
    "abs": tf.abs,
    "ceil": tf.math.ceil,
    "cos": tf.cos,
    "elu": tf.nn.elu,
    "exp": tf.exp,
    "floor": tf.floor,
    "gelu": tf.nn.gelu,
    "hard_swish": lambda x: x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0),
    "leaky_relu": lambda x: tf.nn.leaky_relu(x, 0.3),
    "log": lambda x: tf.math.log(tf.abs(x) + 0.1),
    "logistic": tf.sigmoid,
    "neg": tf.negative,
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "relu_n1_to_1": lambda x: tf.maximum(-1.0, tf.minimum(x, 1.0)),
    "round": tf.round,
    "rsqrt": lambda x: tf.math.rsqrt(tf.abs(x) + 0.1),
    "sign": tf.sign,
    "sin": tf.sin,
    "softmax": tf.nn.softmax,
    "log_softmax": tf.nn.log_softmax,
    "sqrt": lambda x: tf.sqrt(tf.abs(x)),
    "square": tf.square,
    "tanh": tf.tanh,
    "l2_normalize": lambda x: tf.math.l2_normalize(x, -1),
}
_IMAGES: dict[str, Any] = {
    "conv": (_conv((3, 3, 4, 5)), IMAGE),
    "conv_1x1": (_conv((1, 1, 4, 5), after=tf.nn.relu6), IMAGE),
    "conv_stride": (_conv((3, 2, 4, 5), 2, after=tf.nn.relu), IMAGE),
    "conv_valid": (_conv((3, 3, 4, 5), 2, "VALID"), IMAGE),
    "conv_dilated": (_conv((3, 3, 4, 5), 1, "SAME", 2), IMAGE),
    "conv_grouped": (_conv((3, 3, 2, 6)), IMAGE),
    "depthwise": (_depthwise((3, 3, 4, 1), 2), IMAGE),
    "depthwise_multiplier": (_depthwise((3, 3, 4, 2)), IMAGE),
    "depthwise_dilated": (_depthwise((3, 3, 4, 1), 1, "SAME", [2, 2]), IMAGE),
    "transpose_conv_same": (_transposed((18, 14), 2, "SAME"), IMAGE),
    "transpose_conv_valid": (_transposed((19, 15), 2, "VALID"), IMAGE),
    "transpose_conv_wide": (_transposed((18, 14), 2, "SAME", 2), IMAGE),
    "average_pool": (lambda x: tf.nn.avg_pool2d(x, 3, 2, "SAME"), IMAGE),
    "max_pool": (lambda x: tf.nn.max_pool2d(x, [2, 3], [2, 1], "VALID"), IMAGE),
    "resize_bilinear": (lambda x: tf.compat.v1.image.resize_bilinear(x, [15, 5]), IMAGE),
    "resize_bilinear_corners": (lambda x: tf.compat.v1.image.resize_bilinear(x, [15, 5], align_corners=True), IMAGE),
    "resize_bilinear_half": (lambda x: tf.image.resize(x, [18, 14]), IMAGE),
    "resize_nearest": (lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, [20, 10]), IMAGE),
    "resize_nearest_corners": (
        lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, [20, 10], align_corners=True),
        IMAGE,
    ),
    "resize_nearest_half": (lambda x: tf.image.resize(x, [18, 11], "nearest"), IMAGE),
    "space_to_depth": (lambda x: tf.nn.space_to_depth(x, 2), (1, 8, 6, 4)),
    "depth_to_space": (lambda x: tf.nn.depth_to_space(x, 2), (1, 4, 3, 8)),
    "space_to_batch": (lambda x: tf.space_to_batch(x, [2, 3], [[0, 1], [1, 1]]), IMAGE),
    "batch_to_space": (lambda x: tf.batch_to_space(x, [2, 2], [[0, 1], [1, 0]]), (4, 4, 3, 5)),
    "mean": (lambda x: tf.reduce_mean(x, [1, 2]), IMAGE),
    "mean_kept": (lambda x: tf.reduce_mean(x, [1, 2], keepdims=True), IMAGE),
    "pad": (lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]]), IMAGE),
    "conv_add_concat": (
        lambda x: tf.concat([_BLOCK(x) + x, x, tf.nn.max_pool2d(x, 3, 1, "SAME")], -1),
        IMAGE,
    ),
    "prelu": (lambda x: tf.nn.relu(x) + tf.constant([-0.1, -0.2, 0.3, -0.4]) * tf.nn.relu(-x), IMAGE),
}
_BLOCK = _conv((3, 3, 4, 4), after=tf.nn.relu)
_ARITHMETIC = {
    "add": (lambda x, y: x + y, MATRIX, (5,)),
    "add_relu": (lambda x, y: tf.nn.relu(x + y), MATRIX, MATRIX),
    "sub": (lambda x, y: x - y, MATRIX, (3, 1)),
    "mul": (lambda x, y: x * y, MATRIX, MATRIX),
    "maximum": (tf.maximum, MATRIX, MATRIX),
    "minimum": (tf.minimum, MATRIX, MATRIX),
    "squared_difference": (tf.math.squared_difference, MATRIX, MATRIX),
    "batch_matmul": (lambda x, y: tf.matmul(x, y), (2, 3, 4), (2, 4, 5)),
    "dense": (_dense(6, 5, tf.nn.relu), MATRIX),
    "dense_3d": (_dense(6, 5), (2, 3, 5)),
}
_MOVES = {
    "reshape": (lambda x: tf.reshape(x, [5, -1]), MATRIX),
    "transpose": (lambda x: tf.transpose(x, [2, 0, 1]), (2, 3, 4)),
    "concat": (lambda x, y: tf.concat([x, y], 1), MATRIX, MATRIX),
    "pack": (lambda x, y: tf.stack([x, y], 1), MATRIX, MATRIX),
    "unpack": (lambda x: tf.unstack(x, axis=1)[1] * 1.5, MATRIX),
    "split": (lambda x: tf.split(x, 2, -1)[1] + 1.0, (3, 6)),
    "split_v": (lambda x: tf.split(x, [1, -1, 2], -1)[1] + 1.0, (3, 6)),
    "slice": (lambda x: tf.slice(x, [1, 2], [-1, 2]), MATRIX),
    "strided_slice": (lambda x: x[1:, ::-2], MATRIX),
    "strided_slice_mixed": (lambda x: x[:, -1, tf.newaxis, ..., 1:3], (2, 3, 4, 5)),
    "tile": (lambda x: tf.tile(x, [2, 3]), MATRIX),
    "squeeze": (lambda x: tf.squeeze(x, [1]) * 2.0, (3, 1, 5)),
    "expand_dims": (lambda x: tf.expand_dims(x, 1) + 1.0, MATRIX),
    "gather": (lambda x: tf.gather(x, [3, 0, 3], axis=1), MATRIX),
    "mirror_reflect": (lambda x: tf.pad(x, [[1, 1], [2, 3]], "REFLECT"), MATRIX),
    "mirror_symmetric": (lambda x: tf.pad(x, [[1, 2], [3, 4]], "SYMMETRIC"), MATRIX),
    "pad_value": (lambda x: tf.pad(x, [[1, 0], [0, 2]], constant_values=0.75), MATRIX),
    "sum": (lambda x: tf.reduce_sum(x, 1), MATRIX),
    "reduce_max": (lambda x: tf.reduce_max(x, 1), MATRIX),
    "reduce_min": (lambda x: tf.reduce_min(x, 0, keepdims=True), MATRIX),
    "argmax": (lambda x: tf.argmax(x, -1), MATRIX),
    "topk": (lambda x: tf.nn.top_k(x, 3).values, MATRIX),
    "reverse": (lambda x: tf.reverse(x, [0, 1]), MATRIX),
    "select": (lambda x, y: tf.where(x > y, x, y * 0.5), MATRIX, MATRIX),
}
_FLOAT = {
    "add_n": (lambda x, y, z: tf.add_n([x, y, z]), MATRIX, MATRIX, MATRIX),
    "argmin": (lambda x: tf.argmin(x, 0, output_type=INT), MATRIX),
    "batch_matmul_adjoint": (lambda x, y: tf.matmul(x, y, adjoint_b=True), (2, 3, 4), (2, 5, 4)),
    "broadcast_to": (lambda x: tf.broadcast_to(x, [2, 3, 5]), MATRIX),
    "broadcast_args": (
        lambda x, y: tf.broadcast_to(x, tf.broadcast_dynamic_shape(tf.shape(x), tf.shape(y))),
        (None, 1),
        (2, None, 5),
    ),
    "cast": (lambda x: tf.cast(x * 3.0, INT), MATRIX),
    "cast_bool": (lambda x: tf.cast(x, tf.float32), (MATRIX, BOOL)),
    "compare": (lambda x, y: [x < y, x <= y, x > y, x >= y, tf.equal(x, x), tf.not_equal(x, y)], MATRIX, MATRIX),
    "conv_3d": (lambda x: tf.nn.conv3d(x, _VOLUME, [1, 1, 2, 1, 1], "SAME"), (1, 4, 6, 5, 2)),
    "cumsum": (lambda x: tf.cumsum(x, 1, exclusive=True, reverse=True), MATRIX),
    "div": (lambda x, y: x / (tf.abs(y) + 0.5), MATRIX, MATRIX),
    "dynamic_shape": (lambda x: tf.reshape(x, [tf.shape(x)[0], -1]), (None, 2, 3)),
    "embedding": (lambda x: tf.nn.embedding_lookup(_TABLE, x), ((2, 3), INT)),
    "fake_quant": (lambda x: tf.quantization.fake_quant_with_min_max_args(x, -1.1, 2.3, 8) + 0.0, MATRIX),
    "fill": (lambda x: tf.fill(tf.shape(x), 2.5) + x, (None, 3)),
    "floor_div": (lambda x, y: tf.math.floordiv(x - 1, y + 1), (MATRIX, INT), (MATRIX, INT)),
    "floor_div_float": (lambda x, y: tf.math.floordiv(x, y), MATRIX, MATRIX),
    "floor_mod": (lambda x, y: tf.math.floormod(x - 1, -(y + 2)), (MATRIX, INT), (MATRIX, INT)),
    "floor_mod_float": (lambda x, y: tf.math.floormod(x, y), MATRIX, MATRIX),
    "gather_batch": (lambda x, i: tf.gather(x, i, batch_dims=1), (2, 3, 4), ((2, 2), INT)),
    "gather_nd": (lambda x, i: tf.gather_nd(x, i), (3, 3, 4), ((5, 2), INT)),
    "if": (_branch, MATRIX, ((), BOOL)),
    "logical": (lambda x, y: [x & y, x | y, ~x], (MATRIX, BOOL), (MATRIX, BOOL)),
    "lrn": (lambda x: tf.nn.local_response_normalization(x, 2, 1.5, 0.3, 0.6), IMAGE),
    "lstm": (_lstm(tf.keras.layers.LSTM), (1, 5, 4)),
    "lstm_both": (_lstm(tf.keras.layers.LSTM, both=True), (1, 5, 4)),
    "gru": (_lstm(tf.keras.layers.GRU, sequences=False), (1, 5, 4)),
    "matrix_diag": (tf.linalg.diag, MATRIX),
    "nms": (_suppress(tf.raw_ops.NonMaxSuppressionV4), (12, 4), (12,)),
    "nms_scores": (_suppress(tf.raw_ops.NonMaxSuppressionV5, soft_nms_sigma=0.0), (12, 4), (12,)),
    "one_hot": (lambda i: tf.one_hot(i - 1, 3, 2.0, -1.0), ((4,), INT)),
    "pow": (lambda x, y: tf.pow(tf.abs(x), y), MATRIX, MATRIX),
    "range": (lambda x: tf.cast(tf.range(tf.shape(x)[0]), tf.float32) + x[:, 0], (None, 3)),
    "reduce_any": (lambda x: [tf.reduce_any(x, 1), tf.reduce_all(x, 0)], (MATRIX, BOOL)),
    "reduce_prod": (lambda x: tf.reduce_prod(x, 1), MATRIX),
    "reverse_sequence": (lambda x, n: tf.reverse_sequence(x, n, 1, 0), (3, 4, 2), ((3,), INT)),
    "scatter_nd": (lambda i, x: tf.scatter_nd(i, x, [4, 3]), ((2, 1), INT), (2, 3)),
    "select_rows": (lambda c, x, y: tf.compat.v1.where(c, x, y), ((3,), BOOL), MATRIX, MATRIX),
    "shape": (lambda x: tf.shape(x) + tf.rank(x), (None, 4)),
    "slice_computed": (lambda x, i: tf.slice(x, i, [2, 2]), (4, 5), ((2,), INT)),
    "strided_slice_computed": (lambda x, i: [x[i[0] :, i[1]], x[i[0]]], (4, 5), ((2,), INT)),
    "topk_both": (lambda x: tf.nn.top_k(x, 2), MATRIX),
    "where": (lambda x: tf.where(x > -9.0), MATRIX),
    "while": (_loop, MATRIX),
    "zeros_like": (lambda x: tf.zeros_like(x) + x, (None, 3)),
}
_VOLUME, _TABLE = _w(2, 3, 3, 2, 3), _w(7, 4)
# Integer operators that LiteRT has no kernel of, or the converter refuses.
_NO_INT8 = {"ceil", "cos", "elu", "exp", "floor", "gelu", "log", "round", "rsqrt", "sign", "sin", "sqrt", "square"}
_WIDE = {
    "dense": (_dense(40, 60), (3, 60)),
    "dense_3d": (_dense(40, 60), (2, 3, 60)),
    "conv": (_conv((3, 3, 16, 20), 2), (2, 9, 7, 16)),
    "conv_1x1": (_conv((1, 1, 40, 40)), (2, 5, 4, 40)),
    "conv_1x1_stride": (_conv((1, 1, 40, 40), 2), (2, 5, 4, 40)),
    "depthwise": (_depthwise((5, 5, 64, 1)), (2, 9, 7, 64)),
    "transpose_conv": (_transposed((18, 14), 2, "SAME", 9), IMAGE),
    "lstm": (_lstm(tf.keras.layers.LSTM, units=48), (1, 5, 4)),
    "embedding": (lambda i: tf.nn.embedding_lookup(_LARGE, i), ((2, 3), INT)),
    "matmul": (lambda x: tf.matmul(x, _LARGE[None]), (1, 3, 64)),
}
_LARGE = _w(64, 40)

_ALL = {**{name: (function, MATRIX) for name, function in _UNARY.items()}, **_IMAGES, **_ARITHMETIC, **_MOVES}
CASES: dict[str, dict[str, Any]] = {
    "float": {**_ALL, **_FLOAT},
    "int8": {name: case for name, case in _ALL.items() if name not in _NO_INT8},
    "int16": {name: case for name, case in _ALL.items() if name not in _NO_INT8},
    "dynamic": _WIDE,
    "float16": {"dense": _WIDE["dense"], "conv": _WIDE["conv"]},
}

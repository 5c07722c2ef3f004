# ruff: noqa: E501, ISC004 (a table)
"""One small net per layer and way of using it: name -> (input shapes, layers, shapes of the blobs)."""

from __future__ import annotations

from typing import Any

Case = tuple[dict[str, list[int]], str, dict[str, list[tuple[int, ...]]]]

IMAGE = {"x": [1, 6, 9, 11]}
FLAT = {"x": [1, 7]}


def one(kind: str, params: str = "", blobs: list[tuple[int, ...]] | None = None, inputs: Any = None) -> Case:
    inputs = inputs or IMAGE
    bottoms = " ".join(f'bottom: "{name}"' for name in inputs)
    return inputs, f'layer {{ name: "l" type: "{kind}" {bottoms} top: "y" {params} }}', {"l": blobs or []}


def conv(params: str, *blobs: tuple[int, ...], kind: str = "Convolution", inputs: Any = None) -> Case:
    return one(kind, f"convolution_param {{ {params} }}", list(blobs), inputs)


def pool(params: str, inputs: Any = None) -> Case:
    return one("Pooling", f"pooling_param {{ {params} }}", None, inputs)


PAIR = {"a": [1, 6, 5, 7], "b": [1, 6, 5, 7]}
SEQUENCE = {"x": [5, 2, 3], "cont": [5, 2]}
SSD = {"loc": [1, 4 * 72], "conf": [1, 3 * 72], "feature": [1, 2, 3, 4], "image": [1, 3, 60, 80]}
PRIORS = 'layer { name: "p" type: "PriorBox" bottom: "feature" bottom: "image" top: "priors" prior_box_param { '
BOXES = "min_size: 12 min_size: 20 max_size: 18 max_size: 30 aspect_ratio: 2 "  # 2 * (2 + 2) per cell: 96


def ssd(prior: str, output: str, boxes: int, sets: int = 1, classes: int = 3) -> Case:
    inputs = {
        "loc": [1, 4 * boxes * sets],
        "conf": [1, classes * boxes],
        "feature": [1, 2, 3, 4],
        "image": [1, 3, 60, 80],
    }
    text = (
        PRIORS + prior + '} } layer { name: "l" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "priors" '
    )
    return (
        inputs,
        text + f'top: "y" detection_output_param {{ num_classes: {classes} background_label_id: 0 {output} }} }}',
        {},
    )


CASES: dict[str, Case] = {
    "convolution": conv("num_output: 4 kernel_size: 3", (4, 6, 3, 3), (4,)),
    "convolution, strided and padded": conv(
        "num_output: 4 kernel_h: 3 kernel_w: 5 stride_h: 2 stride_w: 3 pad_h: 1 pad_w: 2", (4, 6, 3, 5), (4,)
    ),
    "convolution, kernel per axis": conv(
        "num_output: 4 kernel_size: 3 kernel_size: 1 stride: 2 stride: 1 pad: 1 pad: 0", (4, 6, 3, 1), (4,)
    ),
    "convolution, dilated": conv("num_output: 4 kernel_size: 3 dilation: 2 pad: 2 bias_term: false", (4, 6, 3, 3)),
    "convolution, groups": conv("num_output: 4 kernel_size: 3 group: 2", (4, 3, 3, 3), (4,)),
    "convolution, depthwise": conv("num_output: 12 kernel_size: 3 group: 6", (12, 1, 3, 3), (12,)),
    "convolution, depthwise by type": conv(
        "num_output: 6 kernel_size: 3 pad: 1", (6, 1, 3, 3), (6,), kind="DepthwiseConvolution"
    ),
    "convolution, one axis": conv("num_output: 4 kernel_size: 3 pad: 1", (4, 6, 3), (4,), inputs={"x": [1, 6, 9]}),
    "convolution, three axes": conv(
        "num_output: 4 kernel_size: 3 pad: 1 stride: 2", (4, 6, 3, 3, 3), (4,), inputs={"x": [1, 6, 5, 7, 6]}
    ),
    "convolution, several bottoms": (
        {"a": [1, 3, 5, 5], "b": [1, 3, 7, 6]},
        'layer { name: "l" type: "Convolution" bottom: "a" bottom: "b" top: "y" top: "z" '
        "convolution_param { num_output: 4 kernel_size: 3 } }",
        {"l": [(4, 3, 3, 3), (4,)]},
    ),
    "deconvolution": conv("num_output: 4 kernel_size: 4 stride: 2 pad: 1", (6, 4, 4, 4), (4,), kind="Deconvolution"),
    "deconvolution, groups": conv(
        "num_output: 6 kernel_size: 4 stride: 2 group: 6 bias_term: false", (6, 1, 4, 4), kind="Deconvolution"
    ),
    "deconvolution, dilated": conv(
        "num_output: 4 kernel_size: 3 dilation: 2 group: 2", (6, 2, 3, 3), (4,), kind="Deconvolution"
    ),
    "max pooling, rounded up": pool("pool: MAX kernel_size: 3 stride: 2"),
    "max pooling, padded": pool("pool: MAX kernel_size: 3 stride: 2 pad: 1"),
    "max pooling, last window dropped": pool("pool: MAX kernel_size: 2 stride: 2 pad: 1", {"x": [1, 2, 7, 8]}),
    "max pooling, kernel by axis": pool("pool: MAX kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 0"),
    "max pooling, rounded down": pool("pool: MAX kernel_size: 3 stride: 2 round_mode: FLOOR", {"x": [1, 2, 8, 8]}),
    "max pooling, whole": pool("pool: MAX global_pooling: true"),
    "average pooling": pool("pool: AVE kernel_size: 3 stride: 2"),
    "average pooling, padded": pool("pool: AVE kernel_size: 3 stride: 2 pad: 1"),
    "average pooling, padded and beyond": pool("pool: AVE kernel_size: 3 stride: 2 pad: 1", {"x": [1, 2, 8, 10]}),
    "average pooling, stride 1": pool("pool: AVE kernel_size: 3 stride: 1 pad: 1"),
    "average pooling, whole": pool("pool: AVE global_pooling: true"),
    "pooling with its mask and unpooling": (
        {"x": [1, 2, 8, 6]},
        'layer { name: "p" type: "Pooling" bottom: "x" top: "small" top: "mask" pooling_param { kernel_size: 2 stride: 2 } } '
        'layer { name: "l" type: "Upsample" bottom: "small" bottom: "mask" top: "y" upsample_param { scale: 2 } }',
        {},
    ),
    "pyramid, max": one("SPP", "spp_param { pyramid_height: 3 pool: MAX }"),
    "pyramid, average": one("SPP", "spp_param { pyramid_height: 2 pool: AVE }"),
    "lrn across": one("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.7 k: 2 }"),
    "lrn, as declared": one("LRN", "lrn_param { }"),
    "lrn within": one("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.7 norm_region: WITHIN_CHANNEL }"),
    "inner product": one("InnerProduct", "inner_product_param { num_output: 5 }", [(5, 594), (5,)]),
    "inner product, transposed": one(
        "InnerProduct", "inner_product_param { num_output: 5 transpose: true bias_term: false }", [(594, 5)]
    ),
    "inner product, axis 2": one("InnerProduct", "inner_product_param { num_output: 5 axis: 2 }", [(5, 99), (5,)]),
    "inner product, last axis": one(
        "InnerProduct", "inner_product_param { num_output: 5 axis: -1 transpose: true }", [(11, 5), (5,)]
    ),
    "batch norm": one("BatchNorm", "batch_norm_param { eps: 0.001 }", [(6,), (6,), (1,)]),
    "batch norm, own statistics": one("BatchNorm", "batch_norm_param { use_global_stats: false }", [(6,), (6,), (1,)]),
    "batch norm, scaled by itself": one(
        "BatchNorm", "batch_norm_param { scale_bias: true }", [(6,), (6,), (1,), (6,), (6,)]
    ),
    "bn of segnet": one("BN", "bn_param { bn_mode: INFERENCE }", [(6,), (6,)]),
    "bn of pspnet": one("BN", "bn_param { frozen: true eps: 0.001 }", [(6,), (6,), (6,), (6,)]),
    "scale": one("Scale", "", [(6,)]),
    "scale and bias": one("Scale", "scale_param { bias_term: true }", [(6,), (6,)]),
    "scale, two axes": one("Scale", "scale_param { axis: 2 num_axes: 2 bias_term: true }", [(9, 11), (9, 11)]),
    "scale, to the end": one("Scale", "scale_param { axis: 1 num_axes: -1 }", [(6, 9, 11)]),
    "scale by a blob": one("Scale", "scale_param { axis: 0 }", None, {"x": [1, 6, 4, 5], "s": [1, 6]}),
    "scale by a blob, with a bias": one(
        "Scale", "scale_param { axis: 1 bias_term: true }", [(6,)], {"x": [1, 6, 4, 5], "s": [6]}
    ),
    "bias": one("Bias", "", [(6,)]),
    "bias by a blob": one("Bias", "bias_param { axis: 1 }", None, {"x": [1, 6, 4, 5], "s": [6, 4]}),
    "sum": one("Eltwise", "", None, PAIR),
    "sum with coefficients": one("Eltwise", "eltwise_param { coeff: 1 coeff: -0.5 }", None, PAIR),
    "sum of three with coefficients": one(
        "Eltwise", "eltwise_param { coeff: 0.5 coeff: -0.5 coeff: 2 }", None, {**PAIR, "c": [1, 6, 5, 7]}
    ),
    "product": one("Eltwise", "eltwise_param { operation: PROD }", None, {**PAIR, "c": [1, 6, 5, 7]}),
    "maximum": one("Eltwise", "eltwise_param { operation: MAX }", None, {**PAIR, "c": [1, 6, 5, 7]}),
    "axpy": one("Axpy", "", None, {"a": [1, 6, 1, 1], "x": [1, 6, 5, 7], "z": [1, 6, 5, 7]}),
    "concat": one("Concat", "", None, {"a": [1, 2, 4, 5], "b": [1, 3, 4, 5]}),
    "concat, axis 2": one("Concat", "concat_param { axis: 2 }", None, {"a": [1, 2, 4, 5], "b": [1, 2, 3, 5]}),
    "concat, by its old name": one("Concat", "concat_param { concat_dim: 3 }", None, {"a": [1, 2, 4, 5], "b": [1, 2, 4, 3]}),
    "slice": (
        IMAGE,
        'layer { name: "l" type: "Slice" bottom: "x" top: "y" top: "z" top: "w" slice_param { slice_point: 1 slice_point: 4 } }',
        {},
    ),
    "slice, equal parts": (
        IMAGE, 'layer { name: "l" type: "Slice" bottom: "x" top: "y" top: "z" top: "w" slice_param { axis: 2 } }', {},
    ),
    "split": (IMAGE, 'layer { name: "l" type: "Split" bottom: "x" top: "y" top: "z" }', {}),
    "power": one("Power", "power_param { power: 2 scale: 0.5 shift: 1 }"),
    "power of nothing": one("Power", "power_param { power: 0 }"),
    "power, negative": one("Power", "power_param { power: -0.5 scale: 0.1 shift: 2 }"),
    "power, scale only": one("Power", "power_param { scale: -0.5 shift: 1 }"),
    "exp": one("Exp", "exp_param { scale: 0.5 shift: 0.1 }"),
    "exp, base 2": one("Exp", "exp_param { base: 2 scale: 0.5 shift: 0.1 }"),
    "log": one("Log", "log_param { scale: 0.1 shift: 3 }"),
    "log, base 10": one("Log", "log_param { base: 10 scale: 0.1 shift: 3 }"),
    "absolute value": one("AbsVal"),
    "relu": one("ReLU"),
    "relu, leaky": one("ReLU", "relu_param { negative_slope: 0.1 }"),
    "relu6": one("ReLU6"),
    "clip": one("Clip", "clip_param { min: -0.5 max: 1 }"),
    "prelu": one("PReLU", "", [(6,)]),
    "prelu, shared": one("PReLU", "prelu_param { channel_shared: true }", [(1,)]),
    "elu": one("ELU", "elu_param { alpha: 0.7 }"),
    "sigmoid": one("Sigmoid"),
    "tanh": one("TanH"),
    "swish": one("Swish"),
    "swish, steeper": one("Swish", "swish_param { beta: 1.5 }"),
    "bnll": one("BNLL"),
    "threshold": one("Threshold", "threshold_param { threshold: 0.2 }"),
    "softmax": one("Softmax"),
    "softmax, axis 3": one("Softmax", "softmax_param { axis: 3 }"),
    "argmax": one("ArgMax", "", None, FLAT),
    "argmax, whole sample": one("ArgMax", "argmax_param { top_k: 3 out_max_val: true }"),
    "argmax, axis": one("ArgMax", "argmax_param { axis: 1 top_k: 2 }"),
    "argmax, values along an axis": one("ArgMax", "argmax_param { axis: 1 out_max_val: true }"),
    "flatten": one("Flatten"),
    "flatten, some axes": one("Flatten", "flatten_param { axis: 2 end_axis: 3 }"),
    "reshape": one("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 11 } }"),
    "reshape, some axes": one("Reshape", "reshape_param { shape { dim: 3 dim: 2 } axis: 1 num_axes: 1 }"),
    "permute": one("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }"),
    "permute, the rest follows": one("Permute", "permute_param { order: 0 order: 3 }"),
    "crop": one("Crop", "crop_param { axis: 2 offset: 1 offset: 3 }", None, {"x": [1, 6, 9, 11], "r": [1, 2, 5, 7]}),
    "crop, one offset": one("Crop", "crop_param { offset: 2 }", None, {"x": [1, 6, 9, 11], "r": [1, 6, 5, 7]}),
    "crop, from the channels on": one("Crop", "crop_param { axis: 1 }", None, {"x": [1, 6, 9, 11], "r": [1, 2, 5, 7]}),
    "tile": one("Tile", "tile_param { axis: 1 tiles: 3 }"),
    "reduction, sum": one("Reduction", "reduction_param { axis: 1 coeff: 0.5 }"),
    "reduction, absolute": one("Reduction", "reduction_param { operation: ASUM axis: 2 }"),
    "reduction, squares": one("Reduction", "reduction_param { operation: SUMSQ axis: 1 }"),
    "reduction, mean": one("Reduction", "reduction_param { operation: MEAN axis: -1 }"),
    "mvn": one("MVN"),
    "mvn, across": one("MVN", "mvn_param { across_channels: true eps: 0.01 }"),
    "mvn, mean only": one("MVN", "mvn_param { normalize_variance: false }"),
    "normalize": one("Normalize", "norm_param { across_spatial: false channel_shared: false }", [(6,)]),
    "normalize, across": one("Normalize", "norm_param { }", [(1,)]),
    "embed": one("Embed", "embed_param { num_output: 4 input_dim: 9 }", [(9, 4), (4,)], {"x": [3, 5]}),
    "dropout": one("Dropout", "dropout_param { dropout_ratio: 0.3 }"),
    "dropout, scaled at test time": one("Dropout", "dropout_param { dropout_ratio: 0.3 scale_train: false }"),
    "dummy data": (
        {"a": [1, 2, 3, 4]},
        'layer { name: "d" type: "DummyData" top: "b" dummy_data_param { shape { dim: 1 dim: 2 dim: 3 dim: 4 } '
        'data_filler { value: 1.5 } } } layer { name: "l" type: "Eltwise" bottom: "a" bottom: "b" top: "y" }',
        {},
    ),
    "parameter": (
        {"a": [2, 3]},
        'layer { name: "d" type: "Parameter" top: "b" parameter_param { shape { dim: 2 dim: 3 } } } '
        'layer { name: "l" type: "Eltwise" bottom: "a" bottom: "b" top: "y" }',
        {"d": [(2, 3)]},
    ),
    "silence": (
        IMAGE,
        'layer { name: "s" type: "Slice" bottom: "x" top: "y" top: "z" } layer { name: "q" type: "Silence" bottom: "z" }',
        {},
    ),
    "batch reindex": one("BatchReindex", "", None, {"x": [4, 2, 3], "i": [6]}),
    "shuffle": one("ShuffleChannel", "shuffle_channel_param { group: 3 }"),
    "interp, zoom": one("Interp", "interp_param { zoom_factor: 3 }"),
    "interp, shrink": one("Interp", "interp_param { shrink_factor: 2 }"),
    "interp, size": one("Interp", "interp_param { height: 20 width: 7 }"),
    "interp, size that no float ratio gives": one("Interp", "interp_param { height: 31 width: 13 }", None, {"x": [1, 3, 7, 7]}),
    "interp, cropped": one("Interp", "interp_param { height: 13 width: 13 pad_beg: -1 pad_end: -2 }"),
    "upsample": one("Upsample", "upsample_param { scale: 2 }"),
    "roi pooling": one(
        "ROIPooling", "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5 }", None,
        {"x": [1, 6, 9, 11], "r": [3, 5]},
    ),
    "lstm": one("LSTM", "recurrent_param { num_output: 4 }", [(16, 3), (16,), (16, 4)], SEQUENCE),
    "lstm, static input": one(
        "LSTM", "recurrent_param { num_output: 4 }", [(16, 3), (16,), (16, 6), (16, 4)], {**SEQUENCE, "s": [2, 6]}
    ),
    "lstm, memory given": (
        {**SEQUENCE, "h": [1, 2, 4], "c": [1, 2, 4]},
        'layer { name: "l" type: "LSTM" bottom: "x" bottom: "cont" bottom: "h" bottom: "c" top: "y" top: "hT" top: "cT" '
        "recurrent_param { num_output: 4 expose_hidden: true } }",
        {"l": [(16, 3), (16,), (16, 4)]},
    ),
    "rnn": one("RNN", "recurrent_param { num_output: 4 }", [(4, 3), (4,), (4, 4), (4, 4), (4,)], SEQUENCE),
    "prior boxes": (
        {"feature": [1, 2, 3, 4], "image": [1, 3, 60, 80], "x": [1, 2, 5]},
        PRIORS + BOXES + "aspect_ratio: 3 clip: true variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 } } "
        'layer { name: "m" type: "Concat" bottom: "priors" bottom: "x" top: "y" concat_param { axis: 2 } }',
        {},
    ),
    "prior boxes, not flipped": (
        {"feature": [1, 2, 3, 4], "image": [1, 3, 60, 80], "x": [1, 2, 5]},
        PRIORS + "min_size: 12 aspect_ratio: 2 flip: false step: 16 offset: 0.25 img_size: 70 } } "
        'layer { name: "m" type: "Concat" bottom: "priors" bottom: "x" top: "y" concat_param { axis: 2 } }',
        {},
    ),
    "detections": ssd(
        BOXES + "clip: false variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2",
        "share_location: true code_type: CENTER_SIZE nms_param { nms_threshold: 0.45 top_k: 20 } keep_top_k: 10 confidence_threshold: 0.3", 96,
    ),
    "detections, corners": ssd(
        "min_size: 12 max_size: 18 clip: true variance: 0.1", "share_location: true code_type: CORNER nms_param { nms_threshold: 0.4 } keep_top_k: 12 confidence_threshold: 0.5", 24
    ),
    "detections, a box per class": ssd(
        "min_size: 12 max_size: 18 clip: false variance: 0.1",
        "share_location: false code_type: CENTER_SIZE nms_param { nms_threshold: 0.4 top_k: 12 } keep_top_k: 30 "
        "confidence_threshold: 0.2 variance_encoded_in_target: true", 24, 3,
    ),
}  # fmt: skip

"""The operations of the NNEF 1.0 standard: their parameters in order, with defaults.

From the specification's chapter 4. A parameter without a default must be given.
"""

from __future__ import annotations

from typing import Any

NEEDED = object()
EXTENSIONS: dict[str, dict[str, Any]] = {}  # operations beyond the standard: filled by what converts them
_WINDOW = {"border": "constant", "padding": [], "stride": [], "dilation": []}
_CONV = {"bias": 0.0, **_WINDOW}


def _of(needed: str = "", **optional: Any) -> dict[str, Any]:
    return {**dict.fromkeys(needed.split(), NEEDED), **optional}


_UNARY = """exp log sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh abs sign rcp neg copy not floor ceil
round sqr sqrt rsqr rsqrt log2 relu sigmoid softplus gelu silu"""
_BINARY = "add sub mul div pow lt gt le ge eq ne and or min max"

STANDARD: dict[str, dict[str, Any]] = {
    **{name: _of("x") for name in _UNARY.split()},
    **{name: _of("x y") for name in _BINARY.split()},
    "external": _of("shape"),
    "variable": _of("shape label"),
    "constant": _of("shape value"),
    "update": _of("variable value"),
    "reshape": _of("input shape", axis_start=0, axis_count=-1),
    "transpose": _of("input axes"),
    "concat": _of("values axis"),
    "split": _of("value axis ratios"),
    "slice": _of("input axes begin end", stride=[]),
    "squeeze": _of("input axes"),
    "unsqueeze": _of("input axes"),
    "stack": _of("values axis"),
    "unstack": _of("value axis"),
    "tile": _of("input repeats"),
    "pad": _of("input padding", border="constant", value=0.0),
    "gather": _of("input indices", axis=0),
    "cast": _of("input"),
    "select": _of("condition true_value false_value"),
    "clamp": _of("x a b"),
    "matmul": _of("A B", transposeA=False, transposeB=False),
    "conv": _of("input filter", **_CONV, groups=1),
    "deconv": _of("input filter", **_CONV, output_shape=[], groups=1),
    "box": _of("input size", **_WINDOW, normalize=False),
    "debox": _of("input size", **_WINDOW, output_shape=[], normalize=False),
    "argmax_pool": _of("input size", **_WINDOW),
    "sample": _of("input index size", **_WINDOW),
    "desample": _of("input index size", **_WINDOW, output_shape=[]),
    "nearest_downsample": _of("input factor"),
    "area_downsample": _of("input factor"),
    "nearest_upsample": _of("input factor"),
    "multilinear_upsample": _of("input factor", method="symmetric", border="replicate"),
    "sum_reduce": _of("input axes", normalize=False),
    **{f"{name}_reduce": _of("input axes") for name in ("max", "min", "argmax", "argmin", "any", "all", "mean")},
    "moments": _of("input axes"),
    "softabs": _of("x epsilon"),
    "softmax": _of("x", axes=[1]),
    "elu": _of("x", alpha=1.0),
    "selu": _of("x", alpha=1.67326319, **{"lambda": 1.05070102}),
    "prelu": _of("x alpha"),
    "leaky_relu": _of("x alpha"),
    "max_pool_with_index": _of("input size", **_WINDOW),
    "max_pool": _of("input size", **_WINDOW),
    "avg_pool": _of("input size", **_WINDOW),
    "rms_pool": _of("input size", **_WINDOW),
    "linear": _of("input filter", bias=0.0),
    "separable_conv": _of("input plane_filter point_filter", **_CONV, groups=1),
    "separable_deconv": _of("input plane_filter point_filter", **_CONV, output_shape=[], groups=1),
    "local_response_normalization": _of("input size", alpha=1.0, beta=0.5, bias=1.0),
    "local_mean_normalization": _of("input size"),
    "local_variance_normalization": _of("input size", bias=0.0, epsilon=0.0),
    "local_contrast_normalization": _of("input size", bias=0.0, epsilon=0.0),
    "l1_normalization": _of("input axes", bias=0.0, epsilon=0.0),
    "l2_normalization": _of("input axes", bias=0.0, epsilon=0.0),
    "batch_normalization": _of("input mean variance offset scale epsilon"),
    "avg_roi_pool": _of("input rois batch_index output_size"),
    "max_roi_pool": _of("input rois batch_index output_size"),
    "roi_resample": _of("input rois batch_index output_size", method="symmetric"),
    "avg_roi_align": _of("input rois batch_index output_size sampling_rate", resize_method="symmetric"),
    "max_roi_align": _of("input rois batch_index output_size sampling_rate", resize_method="symmetric"),
    "min_max_linear_quantize": _of("x min max bits signed symmetric"),
    "zero_point_linear_quantize": _of("x zero_point scale bits signed symmetric"),
    "linear_quantize": _of("x min max bits"),
    "logarithmic_quantize": _of("x max bits"),
    "copy_n": _of("x times"),
    "add_n": _of("x"),
}

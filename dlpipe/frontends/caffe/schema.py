"""What a layer's parameters are called, their types and their defaults: the public caffe.proto and those of SSD, ENet,
SegNet, DeepLab, ShuffleNet and Fast R-CNN, as a table.

A type is int, float, bool, str or "A|B" (an enum); "*" behind it: repeated; "=x": the default. "training" is a field
that changes nothing in a forward pass at test time. Any other field is refused, never passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe_worker import Refused

from .prototxt import Message, Scalar

_SPATIAL = {"kernel_h": "int", "kernel_w": "int", "stride_h": "int", "stride_w": "int", "pad_h": "int", "pad_w": "int"}
_TRAINED = {"weight_filler": "training", "bias_filler": "training", "filler": "training"}
_AXES = {"axis": "int=1", "num_axes": "int=1"}
_ENGINE = {"engine": "training"}
_CODE = "CORNER|CENTER_SIZE|CORNER_SIZE=CORNER"
_POOL = "MAX|AVE|STOCHASTIC=MAX"

PARAMS: Mapping[str, Mapping[str, str]] = {
    "argmax_param": {"out_max_val": "bool=false", "top_k": "int=1", "axis": "int"},
    "batch_norm_param": {
        "use_global_stats": "bool=true",
        "eps": "float=1e-5",
        "scale_bias": "bool=false",
        "moving_average_fraction": "training",
        **_ENGINE,
    },
    "bn_param": {
        "bn_mode": "LEARN|INFERENCE=LEARN",
        "eps": "float=1e-5",
        "frozen": "training",
        "momentum": "training",
        "slope_filler": "training",
        "scale_filler": "training",
        "shift_filler": "training",
        **_TRAINED,
        **_ENGINE,
    },
    "bias_param": {**_AXES, "filler": "training"},
    "clip_param": {"min": "float", "max": "float"},
    "concat_param": {"axis": "int=1", "concat_dim": "int"},
    "convolution_param": {
        "num_output": "int=0",
        "bias_term": "bool=true",
        "pad": "int*",
        "kernel_size": "int*",
        "stride": "int*",
        "dilation": "int*",
        "group": "int=1",
        "axis": "int=1",
        "force_nd_im2col": "training",
        **_SPATIAL,
        **_TRAINED,
        **_ENGINE,
    },
    "crop_param": {"axis": "int=2", "offset": "int*"},
    "detection_output_param": {
        "num_classes": "int=0",
        "share_location": "bool=true",
        "background_label_id": "int=0",
        "nms_param": "message",
        "save_output_param": "training",
        "code_type": _CODE,
        "variance_encoded_in_target": "bool=false",
        "keep_top_k": "int=-1",
        "confidence_threshold": "float",
        "visualize": "training",
        "visualize_threshold": "training",
        "save_file": "training",
    },
    "dropout_param": {
        "dropout_ratio": "float=0.5",
        "scale_train": "bool=true",
        "sample_weights_test": "bool=false",
        **_ENGINE,
    },
    "dummy_data_param": {
        "data_filler": "message*",
        "shape": "message*",
        "num": "int*",
        "channels": "int*",
        "height": "int*",
        "width": "int*",
    },
    "eltwise_param": {"operation": "PROD|SUM|MAX=SUM", "coeff": "float*", "stable_prod_grad": "training"},
    "elu_param": {"alpha": "float=1"},
    "embed_param": {"num_output": "int=0", "input_dim": "int=0", "bias_term": "bool=true", **_TRAINED},
    "exp_param": {"base": "float=-1", "scale": "float=1", "shift": "float=0"},
    "flatten_param": {"axis": "int=1", "end_axis": "int=-1"},
    "inner_product_param": {
        "num_output": "int=0",
        "bias_term": "bool=true",
        "axis": "int=1",
        "transpose": "bool=false",
        **_TRAINED,
        **_ENGINE,
    },
    "input_param": {"shape": "message*"},
    "interp_param": {
        "height": "int=0",
        "width": "int=0",
        "zoom_factor": "int=1",
        "shrink_factor": "int=1",
        "pad_beg": "int=0",
        "pad_end": "int=0",
    },
    "log_param": {"base": "float=-1", "scale": "float=1", "shift": "float=0"},
    "lrn_param": {
        "local_size": "int=5",
        "alpha": "float=1",
        "beta": "float=0.75",
        "norm_region": "ACROSS_CHANNELS|WITHIN_CHANNEL=ACROSS_CHANNELS",
        "k": "float=1",
        **_ENGINE,
    },
    "mvn_param": {"normalize_variance": "bool=true", "across_channels": "bool=false", "eps": "float=1e-9"},
    "nms_param": {"nms_threshold": "float=0.3", "top_k": "int=-1", "eta": "float=1"},
    "norm_param": {
        "across_spatial": "bool=true",
        "channel_shared": "bool=true",
        "eps": "float=1e-10",
        "scale_filler": "training",
    },
    "parameter_param": {"shape": "message*"},
    "permute_param": {"order": "int*"},
    "pooling_param": {
        "pool": _POOL,
        "pad": "int=0",
        "kernel_size": "int",
        "stride": "int=1",
        "global_pooling": "bool=false",
        "round_mode": "CEIL|FLOOR=CEIL",
        "ceil_mode": "bool=true",
        **_SPATIAL,
        **_ENGINE,
    },
    "power_param": {"power": "float=1", "scale": "float=1", "shift": "float=0"},
    "prelu_param": {"channel_shared": "bool=false", "filler": "training"},
    "prior_box_param": {
        "min_size": "float*",
        "max_size": "float*",
        "aspect_ratio": "float*",
        "flip": "bool=true",
        "clip": "bool=false",
        "variance": "float*",
        "img_size": "int=0",
        "img_h": "int=0",
        "img_w": "int=0",
        "step": "float=0",
        "step_h": "float=0",
        "step_w": "float=0",
        "offset": "float=0.5",
    },
    "recurrent_param": {
        "num_output": "int=0",
        "expose_hidden": "bool=false",
        "debug_info": "training",
        **_TRAINED,
    },
    "reduction_param": {"operation": "SUM|ASUM|SUMSQ|MEAN=SUM", "axis": "int=0", "coeff": "float=1"},
    "relu_param": {"negative_slope": "float=0", **_ENGINE},
    "relu6_param": {**_ENGINE},
    "reshape_param": {"shape": "message", "axis": "int=0", "num_axes": "int=-1"},
    "roi_pooling_param": {"pooled_h": "int=0", "pooled_w": "int=0", "spatial_scale": "float=1"},
    "scale_param": {**_AXES, "bias_term": "bool=false", **_TRAINED},
    "shuffle_channel_param": {"group": "int=1"},
    "sigmoid_param": _ENGINE,
    "slice_param": {"axis": "int=1", "slice_dim": "int", "slice_point": "int*"},
    "softmax_param": {"axis": "int=1", **_ENGINE},
    "spp_param": {"pyramid_height": "int=0", "pool": _POOL, **_ENGINE},
    "swish_param": {"beta": "float=1"},
    "tanh_param": _ENGINE,
    "threshold_param": {"threshold": "float=0"},
    "tile_param": {"axis": "int=1", "tiles": "int=0"},
    "upsample_param": {
        "scale": "int",
        "scale_h": "int",
        "scale_w": "int",
        "pad_out_h": "bool=false",
        "pad_out_w": "bool=false",
        "upsample_h": "int",
        "upsample_w": "int",
    },
}
# Messages of a layer that only training or the data base have a use for.
IGNORED = {"transform_param", "loss_param", "param", "include", "exclude", "accuracy_param", "data_param"}
MAX_INT = 1 << 40  # no dimension, count or size of a real net


class Params:
    """The parameters of one layer: an attribute each. One that has no default and is not given is None."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def read(message: Message, table: str, layer: str, op: str) -> Params:
    """Raises Refused for a field that the table does not have, and for a value of another type."""
    fields = PARAMS[table]
    for name in message:
        if name not in fields:
            raise Refused(
                f"layer {layer} ({op}) has the parameter {table}.{name}, which dlpipe does not know",
                kind="unsupported",
                node=layer,
                op=op,
            )
    try:
        return Params({name: _value(message, name, kind) for name, kind in fields.items() if kind != "training"})
    except ValueError as error:
        raise Refused(f"layer {layer} ({op}): {table}: {error}", node=layer, op=op) from None


def _value(message: Message, name: str, kind: str) -> Any:
    kind, _, default = kind.partition("=")
    if kind.startswith("message"):
        return message.messages(name) if kind.endswith("*") else message.message(name)
    if kind.endswith("*"):
        return [_parsed(each, name, kind[:-1]) for each in message.scalars(name)]
    given = message.scalar(name)
    if given is None:
        return _parsed(Scalar(default), name, kind) if default else None
    return _parsed(given, name, kind)


def _parsed(text: Scalar, name: str, kind: str) -> Any:
    if "|" in kind:
        choices = kind.split("|")
        if text not in choices:
            raise ValueError(f"{name} is {text[:40]!r}; known are {', '.join(choices)}")
        return str(text)
    if kind == "bool":
        if text in ("true", "True", "t", "1"):
            return True
        if text in ("false", "False", "f", "0"):
            return False
        raise ValueError(f"{name} is {text[:40]!r}, neither true nor false")
    if kind == "str":
        return str(text)
    try:
        found = (
            int(text, 0)
            if kind == "int" and text.lower().startswith("0x")
            else (int if kind == "int" else _float)(text)
        )
    except ValueError:
        raise ValueError(f"{name} is {text[:40]!r}, which is no {kind}") from None
    if abs(found) > (MAX_INT if kind == "int" else 1e38):
        raise ValueError(f"{name} is {text[:40]}, beyond anything sensible")
    return found


def _float(text: str) -> float:
    found = float(text.rstrip("fF") if not text.lower().endswith("inf") else text)
    if found != found:
        raise ValueError
    return found


def dims(message: Message, what: str) -> list[int]:
    """The dims of a BlobShape."""
    try:
        return [_parsed(each, "dim", "int") for each in message.scalars("dim")]
    except ValueError as error:
        raise Refused(f"{what}: {error}") from None

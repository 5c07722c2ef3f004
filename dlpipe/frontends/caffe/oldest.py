"""The first generation of Caffe's format (V0): all parameters in one message, types in lower case, padding a layer."""

from __future__ import annotations

from dlpipe_worker import Refused

from .prototxt import Message, Scalar

_TYPES = {
    "accuracy": "Accuracy", "bnll": "BNLL", "concat": "Concat", "conv": "Convolution", "data": "Data",
    "dropout": "Dropout", "euclidean_loss": "EuclideanLoss", "flatten": "Flatten", "hdf5_data": "HDF5Data",
    "hdf5_output": "HDF5Output", "im2col": "Im2col", "images": "ImageData", "infogain_loss": "InfogainLoss",
    "innerproduct": "InnerProduct", "lrn": "LRN", "multinomial_logistic_loss": "MultinomialLogisticLoss",
    "pool": "Pooling", "relu": "ReLU", "sigmoid": "Sigmoid", "softmax": "Softmax", "softmax_loss": "SoftmaxWithLoss",
    "split": "Split", "tanh": "TanH", "window_data": "WindowData",
}  # fmt: skip
# type -> (message, {its field today: the field then})
_FIELDS: dict[str, tuple[str, dict[str, str]]] = {
    "conv": (
        "convolution_param",
        {"num_output": "num_output", "bias_term": "biasterm", "pad": "pad", "kernel_size": "kernelsize"}
        | {"group": "group", "stride": "stride"},
    ),
    "pool": ("pooling_param", {"pool": "pool", "kernel_size": "kernelsize", "stride": "stride", "pad": "pad"}),
    "innerproduct": ("inner_product_param", {"num_output": "num_output", "bias_term": "biasterm"}),
    "lrn": ("lrn_param", {"local_size": "local_size", "alpha": "alpha", "beta": "beta", "k": "k"}),
    "concat": ("concat_param", {"concat_dim": "concat_dim"}),
    "dropout": ("dropout_param", {"dropout_ratio": "dropout_ratio"}),
    "data": ("transform_param", {"scale": "scale", "mean_file": "meanfile", "crop_size": "cropsize"}),
    "images": ("transform_param", {"scale": "scale", "mean_file": "meanfile", "crop_size": "cropsize"}),
}


def upgrade(layers: list[Message]) -> list[Message]:
    """Raises Refused for a type that the first generation did not have."""
    made: list[Message] = []
    padded: dict[str, tuple[str, Scalar]] = {}  # blob behind a padding layer -> (blob before it, how much)
    for outer in layers:
        inner = outer.message("layer")
        kind = str(inner.scalar("type") or "")
        bottoms, tops = outer.scalars("bottom"), outer.scalars("top")
        if kind == "padding":
            if len(bottoms) != 1 or len(tops) != 1:
                raise Refused("a padding layer of the prototxt has not one bottom and one top")
            padded[str(tops[0])] = (str(bottoms[0]), inner.scalar("pad") or Scalar("0"))
            continue
        if kind not in _TYPES:
            raise Refused(f"the layer type {kind!r} is none of Caffe's first format", kind="unsupported", op=kind)
        table, fields = _FIELDS.get(kind, ("", {}))
        values = Message({now: list(inner[then]) for now, then in fields.items() if then in inner})
        for index, bottom in enumerate(bottoms):
            if str(bottom) in padded:
                if kind != "conv":
                    raise Refused(f"a {kind} layer follows padding; Caffe upgrades that for convolutions only")
                source, pad = padded[str(bottom)]
                bottoms[index] = Scalar(source)
                values["pad"] = [pad]
        layer = Message(name=list(inner.get("name", [])), type=[Scalar(_TYPES[kind])], top=list(tops))
        layer["bottom"] = list(bottoms)
        layer.update({key: outer[key] for key in ("include", "exclude") if key in outer})
        if values:
            layer[table] = [values]
        made.append(layer)
    return made

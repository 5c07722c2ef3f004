"""Where a net begins and ends: data layers become inputs, losses and what needs labels is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dlpipe_worker import Refused

from ..kit.ports import BATCH
from . import schema
from .net import Layer, Net
from .prototxt import Message

DATA = {
    "AnnotatedData", "Data", "DenseImageData", "HDF5Data", "ImageData", "ImageSegData", "MemoryData", "WindowData",
}  # fmt: skip
LOSSES = {
    "Accuracy", "ContrastiveLoss", "DetectionEvaluate", "EuclideanLoss", "HDF5Output", "HingeLoss", "InfogainLoss",
    "MatWrite", "MultiBoxLoss", "MultinomialLogisticLoss", "SigmoidCrossEntropyLoss", "SmoothL1Loss", "SoftmaxWithLoss",
}  # fmt: skip


@dataclass
class Boundary:
    """`inputs`: (blob, shape); `layers`: what is between them and the outputs. fixed: the batch may not vary."""

    inputs: list[tuple[str, list[int]]] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    transforms: dict[str, Any] = field(default_factory=dict)
    fixed: bool = False

    def metadata(self, types: Mapping[str, int]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.transforms:  # what the net was trained behind: the user's data must go through the same
            found["caffe_transforms"] = self.transforms
        if "DetectionOutput" in types:
            found["detections"] = {
                "row": ["image", "label", "score", "xmin", "ymin", "xmax", "ymax"],
                "unit": "parts of the image",
                "end": "rows of -1 follow the last detection",
            }
        if "LSTM" in types or "RNN" in types:
            found["memory"] = "begins with zeros in every run"
        return found


def find_boundary(
    net: Net, weights: Mapping[str, list[Any]], asked: Mapping[str, Mapping[str, Any]], dims: Mapping[str, int]
) -> Boundary:
    """asked: the user's shapes by input. Raises Refused where a shape is nowhere to be found."""
    found = Boundary()
    declared: dict[str, list[int] | None] = {each.name: each.shape for each in net.inputs}
    absent: set[str] = set()  # blobs that only training has
    for each in net.layers:
        if each.type == "Input":
            declared.update(_input_layer(each))
        elif each.type in DATA:
            _data_layer(each, declared, absent, found, net, weights)
        elif each.type in LOSSES:
            absent.update(each.tops)
            found.notes.append(f"{each.name} ({each.type}) belongs to training and is left out")
        elif absent.intersection(each.bottoms):
            absent.update(each.tops)
            found.notes.append(f"{each.name} ({each.type}) needs what only training has and is left out")
        else:
            absent.difference_update(each.tops)
            found.layers.append(each)
    unknown = sorted(set(asked) - set(declared))
    if unknown:
        raise Refused(f"the net has no input {unknown[0]!r}", hint=f"its inputs: {', '.join(declared) or 'none'}")
    for name, shape in declared.items():
        given = asked.get(name, {}).get("shape")
        if asked.get(name, {}).get("dtype") not in (None, "float32"):
            raise Refused(f"the input {name} is float32, as all blobs of Caffe", kind="unsupported")
        if given is not None:
            if all(isinstance(dim, int) for dim in given):
                found.fixed = True  # the user's word
            shape = [1 if not isinstance(dim, int) else dim for dim in given]
        if not shape and shape is not None:
            raise Refused(f"the input {name} has no axes")
        if shape is None:
            example = "x".join(map(str, _like(declared)))
            raise Refused(f"the file does not say the shape of the input {name}", hint=f"--input {name}:{example}")
        if min(shape) < 1:
            raise Refused(f"the input {name} has the shape {shape}", hint=f"--input {name}:1x3x224x224")
        found.inputs.append((name, shape))
    _settle_batch(found, dims)
    return found


def _settle_batch(found: Boundary, dims: Mapping[str, int]) -> None:
    batches = {shape[0] for _, shape in found.inputs}
    if len(batches) != 1 or any(len(shape) < 2 for _, shape in found.inputs):
        found.fixed = True  # their first dims are not one batch
    elif BATCH in dims:
        found.fixed = True
        for _, shape in found.inputs:
            shape[0] = dims[BATCH]


def _input_layer(each: Layer) -> dict[str, list[int] | None]:
    params = schema.read(each.message.message("input_param"), "input_param", each.name, each.type)
    shapes = [schema.dims(shape, f"layer {each.name}") for shape in params.shape]
    if len(shapes) not in (0, 1, len(each.tops)):
        raise Refused(f"layer {each.name} has {len(each.tops)} tops and {len(shapes)} shapes", node=each.name)
    return {
        top: list(shapes[index if len(shapes) > 1 else 0]) if shapes else None for index, top in enumerate(each.tops)
    }


def _data_layer(
    each: Layer,
    declared: dict[str, list[int] | None],
    absent: set[str],
    found: Boundary,
    net: Net,
    weights: Mapping[str, list[Any]],
) -> None:
    """The first top is the data, those behind it labels; of HDF5 every top is data unless it is called a label."""
    for index, top in enumerate(each.tops):
        label = "label" in top.lower() if each.type == "HDF5Data" else index > 0
        if label:
            absent.add(top)
            continue
        declared[top] = _data_shape(each, net, weights)
        transform = {
            key: [str(value) for value in values]
            for key, values in each.message.message("transform_param").items()
            if not any(isinstance(value, Message) for value in values)
        }
        if transform:
            found.transforms[top] = transform
        found.notes.append(f"{each.name} ({each.type}) reads a data base: its top {top!r} is an input here")


def _data_shape(each: Layer, net: Net, weights: Mapping[str, list[Any]]) -> list[int] | None:
    if each.type == "MemoryData":
        own = each.message.message("memory_data_param")
        shape = [_int(own, key) for key in ("channels", "height", "width") if key in own]
        return [1, *shape] if len(shape) == 3 else None
    size = _int(each.message.message("transform_param"), "crop_size") or _int(
        each.message.message("data_param"), "crop_size"
    )
    height = width = size
    if each.type == "ImageData" and not size:
        own = each.message.message("image_data_param")
        height, width = _int(own, "new_height"), _int(own, "new_width")
    if each.type == "AnnotatedData" and not size:
        own = each.message.message("transform_param").message("resize_param")
        height, width = _int(own, "height"), _int(own, "width")
    channels = _channels(net, weights)
    return [1, channels, height, width] if channels and height and width else None


def _channels(net: Net, weights: Mapping[str, list[Any]]) -> int | None:
    """Read off the first convolution."""
    for each in net.layers:
        blobs = weights.get(each.name)
        if each.type == "Convolution" and blobs and blobs[0].ndim >= 3:
            group = _int(each.message.message("convolution_param"), "group") or 1
            return int(blobs[0].shape[1]) * group
    return None


def _int(message: Message, name: str) -> int:
    given = message.scalar(name)
    return schema.dims(Message(dim=[given]), name)[0] if given is not None else 0


def _like(declared: Mapping[str, list[int] | None]) -> list[int]:
    return next((shape for shape in declared.values() if shape), [1, 3, 224, 224])

"""A prototxt as layers of the newest generation: old ones upgraded, those of training left out, inputs found.

The rules are Caffe's own: `include`/`exclude` against the state (phase TEST), V1 enum types, V0 parameters inside one
message with padding as a layer of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dlpipe_worker import Refused

from . import oldest, schema
from .prototxt import Message, Scalar, parse

_KNOWN = {"name", "input", "input_dim", "input_shape", "state", "layer", "layers", "force_backward", "debug_info"}
_V1 = {
    "ABSVAL": "AbsVal", "ACCURACY": "Accuracy", "ARGMAX": "ArgMax", "BNLL": "BNLL", "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss", "CONVOLUTION": "Convolution", "DATA": "Data",
    "DECONVOLUTION": "Deconvolution", "DROPOUT": "Dropout", "DUMMY_DATA": "DummyData",
    "EUCLIDEAN_LOSS": "EuclideanLoss", "ELTWISE": "Eltwise", "EXP": "Exp", "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data", "HDF5_OUTPUT": "HDF5Output", "HINGE_LOSS": "HingeLoss", "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData", "INFOGAIN_LOSS": "InfogainLoss", "INNER_PRODUCT": "InnerProduct", "LRN": "LRN",
    "MEMORY_DATA": "MemoryData", "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss", "MVN": "MVN",
    "POOLING": "Pooling", "POWER": "Power", "RELU": "ReLU", "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss", "SILENCE": "Silence", "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss", "SPLIT": "Split", "SLICE": "Slice", "TANH": "TanH",
    "WINDOW_DATA": "WindowData", "THRESHOLD": "Threshold",
}  # fmt: skip
MAX_LAYERS = 100_000


@dataclass
class Layer:
    name: str
    type: str
    bottoms: list[str]
    tops: list[str]
    message: Message


@dataclass
class Input:
    """shape: as declared, None where the file does not say."""

    name: str
    shape: list[int] | None


@dataclass
class Net:
    name: str
    inputs: list[Input] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    upgraded: bool = False  # from the first generation, which few readers know


def read_net(path: Path) -> Net:
    """Raises Refused for a text that is no net."""
    try:
        message = parse(path.read_text(encoding="utf-8", errors="strict"))
    except UnicodeDecodeError:
        raise Refused(f"{path.name} is not text, so it is not a prototxt") from None
    unknown = sorted(set(message) - _KNOWN)
    if unknown:
        hint = "a solver's prototxt names its net; convert that file" if "base_lr" in unknown else None
        raise Refused(f"{path.name} is not a Caffe net: a net has no field {unknown[0]!r}", hint=hint)
    old, new = message.messages("layers"), message.messages("layer")
    if old and new:
        raise Refused(f"{path.name} has both `layer` and `layers`; Caffe takes one of them")
    if not old and not new:
        raise Refused(f"{path.name} has no layers, so it is not a Caffe net")
    if len(old) + len(new) > MAX_LAYERS:
        raise Refused(f"{path.name} has {len(old) + len(new):,} layers")
    net = Net(str(message.scalar("name") or "caffe"))
    net.inputs = _inputs(message)
    net.upgraded = any("layer" in each for each in old)
    layers = oldest.upgrade(old) if net.upgraded else old + new
    stages = _stages(message, layers)
    net.layers = [_layer(each, index) for index, each in enumerate(layers) if _included(each, stages)]
    return net


def _layer(message: Message, index: int) -> Layer:
    kind = str(message.scalar("type") or "")
    name = str(message.scalar("name") or f"layer{index}")
    tops = [str(each) for each in message.scalars("top")]
    return Layer(name, _V1.get(kind, kind), [str(each) for each in message.scalars("bottom")], tops, message)


def _inputs(message: Message) -> list[Input]:
    names = [str(each) for each in message.scalars("input")]
    shapes = [schema.dims(each, "input_shape") for each in message.messages("input_shape")]
    flat = schema.dims(Message(dim=list(message.scalars("input_dim"))), "input_dim")
    if flat:
        shapes = [flat[at : at + 4] for at in range(0, len(flat), 4)]
    if shapes and (len(shapes) != len(names) or (flat and len(flat) != 4 * len(names))):
        raise Refused(f"the net has {len(names)} inputs and shapes for {len(shapes)}")
    return [Input(name, shapes[index] if shapes else None) for index, name in enumerate(names)]


def _stages(message: Message, layers: list[Message]) -> set[str]:
    """The stages of the state: the net's own, and "deploy" where layers know that one (NVIDIA DIGITS)."""
    stages = {str(each) for each in message.message("state").scalars("stage")}
    for each in layers:
        for rule in (*each.messages("include"), *each.messages("exclude")):
            stages |= {"deploy"} & {str(stage) for stage in (*rule.scalars("stage"), *rule.scalars("not_stage"))}
    return stages


def _included(layer: Message, stages: set[str]) -> bool:
    include, exclude = layer.messages("include"), layer.messages("exclude")
    if include:
        return any(_met(rule, stages) for rule in include)
    return not any(_met(rule, stages) for rule in exclude)


def _met(rule: Message, stages: set[str]) -> bool:
    phase = rule.scalar("phase")
    if phase is not None and phase not in ("TEST", "1"):
        return False
    if _level(rule, "min_level", 0) > 0 or _level(rule, "max_level", 0) < 0:
        return False
    if any(str(each) not in stages for each in rule.scalars("stage")):
        return False
    return not any(str(each) in stages for each in rule.scalars("not_stage"))


def _level(rule: Message, name: str, default: int) -> int:
    try:
        return int(rule.scalar(name) or Scalar(default))
    except ValueError:
        raise Refused(f"a rule of the prototxt has a {name} that is no number") from None

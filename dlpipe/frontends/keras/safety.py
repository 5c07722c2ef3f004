"""What is refused before Keras sees the architecture: code in it, classes that nobody has, sizes no machine holds."""

from collections.abc import Iterable
from typing import Any

from dlpipe_worker import Refused

from . import configs
from .configs import Config

EXECUTES = frozenset({"Lambda", "TFSMLayer", "__lambda__"})
MODELS = frozenset({"Sequential", "Functional", "Model", "Graph"})
PACKAGES = ("keras", "tf_keras", "tensorflow.keras", "builtins", "numpy")
# Operators that were called on tensors, which Keras makes layers of.
CALLS = frozenset({"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod", "InstanceMethod"})
CALLS |= {"InstanceProperty", "AddLoss", "AddMetric"}
OPERATORS = "keras.src.ops."  # the module of those of Keras 3
NOT_SIZES = frozenset({"seed", "dtype", "axis", "mask_value", "max_value", "threshold", "value"})


def check(config: Config, known: Iterable[str], *, unsafe: bool) -> None:
    """`known`: the classes of layers that Keras has. Raises Refused, naming the layer."""
    classes = frozenset(known) | MODELS | CALLS
    for layer, item in configs.objects(config):
        if item["class_name"] in EXECUTES and not unsafe:
            raise Refused(
                f"the layer {layer or item['class_name']} is a {item['class_name']}: it runs Python code that is in "
                "the file",
                kind="unsupported",
                hint="if you trust the file, say --unsafe-load; better: save the model without it",
                node=layer or None,
                op=item["class_name"],
            )
        _check_package(layer, item)
        _check_sizes(layer, item)
    for layer, class_name in _layer_classes(config):
        if class_name not in classes and class_name not in EXECUTES:
            raise Refused(
                f"the layer {layer} is of the class {class_name}, which Keras does not have: its code is not in the "
                "file",
                kind="unsupported",
                hint="export the model with its code at hand: model.export(folder) makes a SavedModel",
                node=layer,
                op=class_name,
            )


def _check_package(layer: str, item: Config) -> None:
    module, registered = item.get("module"), item.get("registered_name")
    foreign = isinstance(module, str) and not module.startswith(PACKAGES)
    custom = isinstance(registered, str) and ">" in registered and not registered.startswith(("keras", "Keras"))
    if foreign or (custom and item.get("module") is None):
        raise Refused(
            f"the layer {layer or item['class_name']} uses {registered or item['class_name']}, a class of the author's "
            "own: its code is not in the file",
            kind="unsupported",
            hint="export the model with its code at hand: model.export(folder) makes a SavedModel",
            node=layer or None,
            op=str(item["class_name"]),
        )


def _check_sizes(layer: str, item: Config) -> None:
    config = item.get("config")
    for key, value in config.items() if isinstance(config, dict) else ():
        if key not in NOT_SIZES and any(number > configs.LARGEST_SIZE for number in _whole_numbers(value)):
            raise Refused(f"the layer {layer} claims {key} = {value}: no machine holds that", node=layer or None)


def _whole_numbers(value: Any) -> list[int]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, int) and not isinstance(each, bool)]


def _layer_classes(config: Config) -> list[tuple[str, str]]:
    found = []
    for each in configs.layers(config):
        name = each.get("class_name")
        if isinstance(name, str) and not str(each.get("module")).startswith(OPERATORS):
            found.append((configs.name_of(each) or name, name))
            if name in MODELS:
                found += _layer_classes(each)
    return found

"""The layers that only the networks of `keras.applications` use. They are Keras' own code, but no class of
`keras.layers`, so that Keras finds them in an .h5 file only when somebody hands them to it."""

from importlib import import_module
from typing import Any

_MODULES = {"convnext": ("LayerScale", "StochasticDepth"), "inception_resnet_v2": ("CustomScaleLayer",)}


def layer_classes(library: Any) -> dict[str, Any]:
    """Those of `keras` or `tf_keras`, by name, and by that which they are registered under (`Custom>NAME`)."""
    found = {}
    for module, names in _MODULES.items():
        held = import_module(f"{library.__name__}.src.applications.{module}")
        for name in names:
            layer = getattr(held, name)
            found[name] = found[library.saving.get_registered_name(layer)] = layer
    return found

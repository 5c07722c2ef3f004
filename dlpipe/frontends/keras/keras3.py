"""Operators in the .h5 files of Keras 3, such as the `+` of `x + 3`: the file names them by the class alone, `Add`.

Keras takes that for the layer of this name, or knows none, and cannot read what it wrote. Its own .keras files say the
module as well.
"""

import pkgutil
from importlib import import_module
from typing import Any

from . import configs
from .configs import Config


def operators(library: Any, config: Config) -> dict[str, Any]:
    """The classes of those that the architecture has, by name; one that a layer has too decides by what it is given."""
    names = _names(config)
    if not names:
        return {}
    package = import_module(f"{library.__name__}.src.ops")
    base = import_module(f"{package.__name__}.operation").Operation
    modules = [import_module(f"{package.__name__}.{each.name}") for each in pkgutil.iter_modules(package.__path__)
               if not each.name.endswith("_test")]  # fmt: skip
    found = {}
    for name in sorted(names):
        for module in modules:
            operation = getattr(module, name, None)
            if isinstance(operation, type) and issubclass(operation, base) and operation.__module__ == module.__name__:
                found[name] = _either(operation, getattr(library.layers, name, None))
                break
    return found


def _names(config: Config) -> set[str]:
    """Layers have a dtype; those that are none have not."""
    found = set()
    for each in configs.layers(config):
        name, given = each.get("class_name"), each.get("config")
        if isinstance(name, str) and isinstance(given, dict) and "module" not in each:
            if "layers" in given:
                found |= _names(each)
            elif not _of_a_layer(given):
                found.add(name)
    return found


def _of_a_layer(given: Any) -> bool:
    return "dtype" in given or "trainable" in given


def _either(operation: Any, layer: Any) -> Any:
    if layer is None:
        return operation

    def from_config(cls: Any, config: Any) -> Any:
        del cls
        return (layer if _of_a_layer(config) else operation).from_config(config)

    return type(operation.__name__, (), {"from_config": classmethod(from_config)})

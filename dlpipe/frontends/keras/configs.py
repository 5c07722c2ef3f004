"""Walking the configuration of a Keras model, which is nested: models in models, layers in wrappers."""

from collections.abc import Iterator
from typing import Any

from dlpipe_worker import Refused

DEEPEST = 64  # levels; Keras itself recurses
LARGEST_SIZE = 1 << 27  # of anything that a layer counts: units, filters, rows of an embedding

Config = dict[str, Any]


def objects(value: Any, layer: str = "", depth: int = 0) -> Iterator[tuple[str, Config]]:
    """(name of the layer it stands in, object) of everything with a class_name and a config, outside in."""
    if depth > DEEPEST * 4:
        raise Refused("the architecture is nested too deeply")
    if isinstance(value, dict):
        known = isinstance(value.get("class_name"), str) and "config" in value
        if known and isinstance(value["config"], dict | list | str | None):
            layer = name_of(value) or layer
            yield layer, value
        for each in value.values():
            yield from objects(each, layer, depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from objects(each, layer, depth + 1)


def name_of(item: Config) -> str:
    inner = item.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else item["name"] if isinstance(item.get("name"), str) else ""


def layers(config: Config) -> list[Config]:
    """The layers of a model, which Keras 1 and early Keras 2 list directly for a Sequential."""
    inner = config.get("config")
    found = inner if isinstance(inner, list) else inner.get("layers", []) if isinstance(inner, dict) else []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

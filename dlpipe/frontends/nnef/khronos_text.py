"""A text as Khronos' parser takes it: without tract's extensions, with tensors that are spelled out as constants."""

import json
import re
from typing import Any

_TRACT = re.compile(r"^\s*extension\s+tract_[^;]*;", re.MULTILINE)
_PROPERTIES = re.compile(r"^\s*fragment\s+tract_core_properties\b.*?^\}", re.MULTILINE | re.DOTALL)  # of no effect
_VERSION = re.compile(r"^\s*version\s+[\d.]+\s*;", re.MULTILINE)
_OPTIONAL = "extension KHR_enable_fragment_definitions, KHR_enable_operator_expressions;"
_NESTED = re.compile(r"(\b\w+)\s*=\s*(\[\s*\[[\s\[\]\d.,eE+-]*\])\s*;")


def plain(text: str) -> str:
    """What other parsers let pass without its being asked for is asked for."""
    text = _PROPERTIES.sub("", _TRACT.sub("", text))
    if "KHR_enable" not in text:
        text = _VERSION.sub(lambda found: f"{found.group()}\n{_OPTIONAL}", text, count=1)
    return _NESTED.sub(lambda found: _constant(found.group(1), found.group(2)), text)


def _constant(name: str, nested: str) -> str:
    rows: Any = json.loads(nested)
    shape: list[int] = []
    while isinstance(rows, list):
        shape.append(len(rows))
        rows = rows[0] if rows else None
    values = [float(each) for each in re.findall(r"[^\s\[\],]+", nested)]
    return f"{name} = constant<scalar>(shape = {shape}, value = {values});"

"""A graph without its weights: what a model that was trained anew has in common with what it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.contracts.json import digest


def structure(described: Mapping[str, Any]) -> str:
    """Digest of operators, attributes, types, shapes and what reads what, of what `describe` says of a graph.

    Names do not count, since exporters number them as they like; nor do the values of weights, which no kernel's time
    depends on.
    """
    numbers: dict[str, int] = {}
    nodes = [
        {
            "op": node["op"],
            "attributes": node["attributes"],
            "bodies": node.get("bodies", {}).get("operators"),
            **{side: [_value(value, numbers) for value in node[side]] for side in ("inputs", "outputs")},
        }
        for node in described["nodes"]
    ]
    return digest({"nodes": nodes, "operators": described["operators"], "opsets": described["opsets"]})


def _value(value: Mapping[str, Any], numbers: dict[str, int]) -> dict[str, Any]:
    shape = value["shape"]
    number = numbers.setdefault(value["name"], len(numbers)) if value["name"] else None
    return {
        "number": number,
        "dtype": value["dtype"],
        "shape": None if shape is None else [dim if isinstance(dim, int) else "?" for dim in shape],
    }

"""Arguments are bound to the parameters of what is called, results to the names that they are assigned to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe_worker import Refused

from .expressions import Node
from .signatures import NEEDED


def bind(
    name: str, parameters: Mapping[str, Any], given: list[Any], named: dict[str, Any], line: int
) -> dict[str, Any]:
    keys = list(parameters)
    if len(given) > len(keys):
        raise Refused(f"line {line}: {name} takes {len(keys)} arguments, and {len(given)} are given", op=name)
    found = dict(zip(keys, given, strict=False))
    for key, value in named.items():
        if key not in parameters or key in found:
            raise Refused(
                f"line {line}: {name} {'has no' if key not in parameters else 'is given twice its'} {key!r}", op=name
            )
        found[key] = value
    for key, default in parameters.items():
        found.setdefault(key, default)
        if found[key] is NEEDED:
            raise Refused(f"line {line}: {name} is not given its {key!r}", op=name)
    return found


def names(target: Node) -> list[str]:
    if target[0] == "name":
        return [target[1]]
    return [name for each in target[1] for name in names(each)]


def named_results(target: Node, results: Mapping[str, Any], later: Mapping[str, Any], outermost: bool) -> Any:
    """The names that the result of an expression gets. Inside a fragment only its results have one, the caller's; what
    is quantised afterwards leaves its name to what comes out of that."""
    if target[0] != "name":
        return [named_results(each, results, later, outermost) for each in target[1]]
    name = target[1]
    if not outermost:
        return results.get(name)
    return f"{name}_unquantised" if name in later else name

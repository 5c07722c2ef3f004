"""Passes as the user writes them: `fuse,opset:version=17,specialise:batch=1,height=224,clean`."""

from __future__ import annotations

import re
from typing import Any

from dlpipe.contracts.passes import ChosenPass, PassInfo
from dlpipe.errors import UserError
from dlpipe.passes.known.parameters import explained
from dlpipe.passes.known.values import fits
from dlpipe.passes.registry import pass_info

_PARAMETER = re.compile(r"[A-Za-z_][\w.-]*=")  # what follows a comma is a parameter, or else the next pass
_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}


def parse_passes(text: str) -> tuple[ChosenPass, ...]:
    """Raises UserError for a pass or parameter that is not known, or a value that is not of its kind."""
    written: list[tuple[str, list[str]]] = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        if _PARAMETER.match(part) and written:
            written[-1][1].append(part)
        else:
            name, _, first = part.partition(":")
            written.append((name, [first] if first else []))
    return tuple(ChosenPass(name, _params(pass_info(name), texts)) for name, texts in written)


def _params(info: PassInfo, texts: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"{info.name}:{text} gives no value", hint=f"write {info.name}:{key}=VALUE")
        if key in info.defaults and key != info.gathers:
            _set(found, info, key, value)
        elif info.gathers is not None:
            found.setdefault(info.gathers, {})[key] = _number(info, key, value)
        else:
            known = ", ".join(info.defaults) or "none"
            raise UserError(f"the pass {info.name} has no parameter {key!r}", hint=f"it has: {known}")
    return found


def _set(found: dict[str, Any], info: PassInfo, key: str, value: str) -> None:
    """The default says of which kind a value is. A list is written by giving its key several times."""
    default = info.defaults[key]
    if isinstance(default, list | tuple):
        found.setdefault(key, []).append(value)
    elif isinstance(default, bool):
        if value.lower() not in _BOOLEANS:
            raise UserError(f"{info.name}:{key} is true or false, not {value!r}")
        found[key] = _BOOLEANS[value.lower()]
    elif isinstance(default, int | float):
        found[key] = _number(info, key, value, whole=isinstance(default, int))
    elif isinstance(default, str):
        found[key] = value
    else:
        raise UserError(f"{info.name}:{key} cannot be written on a command line")
    said = explained(info)[key].values
    if not fits(said, found[key]):
        raise UserError(f"{info.name}:{key} takes {said}, not {value}", hint=f"`dlpipe pass show {info.name}`")


def _number(info: PassInfo, key: str, value: str, *, whole: bool = True) -> int | float:
    try:
        return int(value) if whole else float(value)
    except ValueError:
        kind = "a whole number" if whole else "a number"
        raise UserError(f"{info.name}:{key} is {kind}, not {value!r}", hint=f"e.g. {info.name}:{key}=1") from None

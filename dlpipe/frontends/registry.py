"""Which frontends there are: the classes named in FRONTENDS, and those of the entry points `dlpipe.frontends`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from dlpipe.contracts.frontend import Frontend, Sniffed
from dlpipe.errors import BadModel, Unsupported, UserError

ENTRY_POINTS = "dlpipe.frontends"
FRONTENDS = {
    "onnx": "dlpipe.frontends.onnx:OnnxFrontend",
    "tensorflow": "dlpipe.frontends.tensorflow:TensorFlowFrontend",
}


def frontends() -> dict[str, Frontend]:
    """Name -> frontend: ours first, then those of other packages."""
    found = {name: find_frontend(name) for name in FRONTENDS}
    for point in _plugged_in():
        found.setdefault(point.name, _plug(point))
    return found


@cache
def find_frontend(name: str) -> Frontend:
    """Raises UserError that lists near matches."""
    if name in FRONTENDS:
        module, _, attribute = FRONTENDS[name].partition(":")
        return cast("Frontend", getattr(import_module(module), attribute)())
    plugged = {point.name: point for point in _plugged_in()}
    if name not in plugged:
        known = [*FRONTENDS, *plugged]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
        raise UserError(f"no frontend is called {name!r}", hint=hint)
    return _plug(plugged[name])


def frontend_for(sniffed: Sniffed, forced: str | None = None) -> Frontend:
    """The frontend that takes what the sniffer found. `forced` is the user's word: that one, or an error.

    Raises BadModel when the content is no model that is known, Unsupported when no frontend takes its format.
    """
    if forced is not None:
        frontend = find_frontend(forced)
        if sniffed.format not in frontend.formats:
            raise Unsupported(
                f"the {forced} frontend does not read this: {_what(sniffed)}",
                hint=f"it reads {', '.join(frontend.formats)}",
            )
        return frontend
    for frontend in frontends().values():
        if sniffed.format in frontend.formats:
            return frontend
    known = sorted({form for frontend in frontends().values() for form in frontend.formats})
    hint = f"dlpipe reads {', '.join(known)}"
    if sniffed.format == "unknown":
        raise BadModel(f"{sniffed.entry} is not a model that is known here: {sniffed.reason}", hint=hint)
    raise Unsupported(f"no frontend reads this yet: {_what(sniffed)}", hint=hint)


def _what(sniffed: Sniffed) -> str:
    return f"{sniffed.format}" + (f" ({sniffed.reason})" if sniffed.reason else "")


def _plugged_in() -> Iterator[EntryPoint]:
    yield from sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)


def _plug(point: EntryPoint) -> Frontend:
    made = point.load()()
    if not isinstance(made, Frontend):
        raise UserError(f"entry point {point.name!r} of {ENTRY_POINTS} ({point.value}) is not a frontend")
    return made

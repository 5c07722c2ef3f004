"""The user's own code (`--factory module:function`), run where it may be: in a worker, in the jail.

Its files lie in the source folder; `module` is imported from there.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from dlpipe_worker import Refused


def load(folder: str, factory: str) -> Any:
    """The function (or class) that `module:function` names. Raises Refused, with the user's own line."""
    module, _, path = factory.partition(":")
    found: Any = load_module(folder, module)
    for name in path.split("."):
        if not hasattr(found, name):
            known = sorted(each for each in vars(found) if not each.startswith("_"))[:12]
            raise Refused(
                f"{module} has no {path}", kind="unsupported", hint=f"it has {', '.join(known)}" if known else None
            )
        found = getattr(found, name)
    if not callable(found):
        raise Refused(f"{factory} is no function", kind="unsupported")
    return found


def load_module(folder: str, name: str) -> ModuleType:
    """The module of that name in the folder."""
    begin(folder)
    top = sys.modules.get(name.partition(".")[0])
    if top is not None:
        raise Refused(f"the module {name} has the name of one that the toolchain uses", hint="rename the file")
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise failed(f"importing {name}", folder, error) from error


def begin(folder: str) -> None:
    """Modules are found in this folder and in no other request's: a worker serves many, and forgets what was theirs."""
    importlib.invalidate_caches()
    for other, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and any(file.startswith(place + "/") for place in _PLACES):
            del sys.modules[other]
    sys.path[:] = [folder, *(place for place in sys.path if place not in _PLACES)]
    _PLACES.add(folder)


def call(function: Any, folder: str, what: str) -> Any:
    """Call it without arguments. What it raises becomes Refused, with the line of the user's code."""
    try:
        return function()
    except Exception as error:
        raise failed(f"calling {what}", folder, error) from error


def failed(what: str, folder: str, error: BaseException) -> Refused:
    """The innermost line of the user's own code, and what was raised."""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(folder):
            place = f" at {Path(frame.filename).relative_to(folder)}:{frame.lineno}"
    hint = None
    if isinstance(error, ModuleNotFoundError):
        hint = (
            "the code may use its own files beside it and what the toolchain holds, and no other package: "
            "leave out what only training needs"
        )
    text = str(error).strip().splitlines()
    return Refused(
        f"{what} failed{place}: {type(error).__name__}: {text[0] if text else ''}", kind="unsupported", hint=hint
    )


_PLACES: set[str] = set()

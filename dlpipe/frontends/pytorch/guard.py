"""An ExportedProgram's file, looked at before torch reads it: what it names must be operators, what it computes shapes
with must be arithmetic. torch would look up any attribute of its own modules and have sympy evaluate the expressions,
and would unpickle weights and constants; here nothing of that executes code of the file's choice.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from dlpipe_worker import Refused

_PROGRAM = re.compile(r"(^|/)(models/[^/]+\.json|serialized_exported_program\.json)$")
_TARGET = re.compile(
    r"torch\.ops\.\w+\.\w+(\.\w+)?|torch\.ops\.higher_order\.\w+|_operator\.\w+|math\.\w+|torch\.sym_\w+"
    r"|torch\._C\._(set_grad_enabled|functorch\.\w+)|torch\._sym_\w+|torch\.fx\.experimental\.symbolic_shapes\.\w+"
    r"|torch\._functorch\.predispatch\.\w+"
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_FUNCTIONS = re.compile(
    r"[a-z]+\d+|Max|Min|Mod|FloorDiv|CleanDiv|CeilDiv|PythonMod|Piecewise|Eq|Ne|Le|Lt|Ge|Gt|And|Or|Not|Identity"
    r"|floor|ceiling|Abs|TruncToInt|FloorToInt|CeilToInt|ToFloat|IntTrueDiv|FloatTrueDiv|IntPow|PowByNatural|FloatPow"
    r"|RoundToInt|RoundDecimal|ModularIndexing|Where|LShift|RShift|OpaqueUnaryFn_\w+|oo|int_oo|True|False|Integer"
    r"|Symbol|evaluate|integer|positive|nonnegative|precision|Add|Mul|Pow|Rational|Float|true|false|BooleanTrue"
    r"|BooleanFalse|Equality|Unequality|LessThan|GreaterThan|StrictLessThan|StrictGreaterThan|Relational"
)
_CHARACTERS = re.compile(r"[\w\s+\-*/%(),.<>=!&|~]*")
_QUOTED = re.compile(r"'([a-z]+\d+|-?\d+(\.\d+)?)'")  # names of symbols, digits of floats
_MOST_PROGRAM = 1 << 30
_DEEPEST = 200


def check(path: Path) -> None:
    """Raises Refused."""
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not _PROGRAM.search(info.filename):
                    continue
                if info.file_size > _MOST_PROGRAM:
                    raise Refused(f"{info.filename} in {path.name} is {info.file_size:,} bytes")
                _check_value(json.loads(archive.read(info)), "", 0)
    except Refused:
        raise
    except Exception as error:
        raise Refused(
            f"{path.name} is a damaged ExportedProgram: {error}", hint="is the download or copy complete?"
        ) from error


def _check_value(value: Any, key: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise Refused("the program is nested too deep")
    if isinstance(value, dict):
        for name, each in value.items():
            _check_value(each, name, depth + 1)
    elif isinstance(value, list):
        for each in value:
            _check_value(each, key, depth + 1)
    elif isinstance(value, str):
        if (
            key in ("target", "as_operator")
            and value.startswith(("torch", "_operator", "math", "#"))
            and not _TARGET.fullmatch(value)
        ):
            raise Refused(f"the program calls {value[:80]}, which is no operator", op=value[:80])
        if key == "expr_str":
            _check_expression(value)


def _check_expression(text: str) -> None:
    text = _QUOTED.sub("", text)
    words = _WORD.findall(text)
    if (
        len(text) > 10_000
        or not _CHARACTERS.fullmatch(text)
        or not all(_FUNCTIONS.fullmatch(word) for word in words)
        or re.search(r"[A-Za-z_)]\s*\.|\d{30}|\*\*.*\*\*", text)
    ):
        raise Refused(f"the program computes a shape with {text[:80]!r}, which is no arithmetic")


@contextmanager
def no_pickles() -> Iterator[None]:
    """While it lasts torch.load takes weights only, and the archive reader unpickles nothing."""
    from torch.export.pt2_archive import _package

    load = torch.load

    def weights_only(*args: Any, **kwargs: Any) -> Any:
        return load(*args, **{**kwargs, "weights_only": True})

    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise Refused(
            "the program holds pickled objects (custom classes as constants)",
            kind="unsupported",
            hint="export it again without them",
        )

    class NoPickle:
        loads = staticmethod(refuse)
        UnpicklingError = pickle.UnpicklingError

    with (
        mock.patch.object(torch, "load", weights_only),
        mock.patch.object(_package, "pickle", NoPickle),
        mock.patch.object(torch._C, "_pickle_load_obj", refuse),  # noqa: SLF001 - what the archive reader calls
    ):
        yield

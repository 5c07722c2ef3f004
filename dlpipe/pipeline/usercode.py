"""`--factory module:function`: the user's own Python code that builds a network, found and taken along as files.

It is never imported here: it runs in a worker, in the jail, and sees the files named here and its toolchain's packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dlpipe.errors import UserError

MANY_FILES = 2_000  # more than any package that describes a network holds
_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_IMPORT = re.compile(r"^\s*(?:from\s+(\w[\w.]*)\s+import\b|import\s+(\w[^#\n;]*))", re.MULTILINE)
_HINT = "e.g. --factory net:build for the function build of net.py beside the model, or --factory path/net.py:build"


def find_code(factory: str, model: Path, option: str = "--factory") -> tuple[str, dict[str, Path]]:
    """(`module:function` as the worker imports it, name in the source tree -> file).

    The module is a .py file or package beside the model or in the working folder, or a file named by its path; what it
    imports from its own folder comes with it. Raises UserError.
    """
    where, colon, function = factory.rpartition(":")
    if not colon and model.suffix == ".py":  # the model is the code
        where = str(model)
    if not where or not _FUNCTION.fullmatch(function):
        raise UserError(f"{option} {factory!r} is not module:function", hint=_HINT)
    if where.endswith(".py"):
        file = Path(where).expanduser()
        if not file.is_file() and not file.is_absolute():
            file = model.parent / file
        if not file.is_file() or not file.stem.isidentifier():
            raise UserError(f"{option}: there is no Python file {where}", hint=_HINT)
        module, folder = file.stem, file.parent
    else:
        module, folder = where, _folder(where, model, option)
    files: dict[str, Path] = {}
    _collect(module.partition(".")[0], folder, files, option)
    return f"{module}:{function}", files


def _folder(module: str, model: Path, option: str) -> Path:
    places = dict.fromkeys((model.resolve().parent, Path.cwd()))
    if model.is_dir():
        places = {model.resolve(): None, **places}
    found = [place for place in places if any(_files(module.partition(".")[0], place))]
    if not found:
        looked = " nor in ".join(str(place) for place in places)
        raise UserError(f"{option}: there is no {module.replace('.', '/')}.py in {looked}", hint=_HINT)
    if len(found) > 1:
        both = " and in ".join(str(place) for place in found)
        raise UserError(f"{option}: {module!r} is in {both}", hint="name the file by its path: path/file.py:function")
    return found[0]


def _collect(module: str, folder: Path, files: dict[str, Path], option: str) -> None:
    """`module` of that folder, and the modules of that folder which it imports, directly or not."""
    waiting = [module]
    while waiting:
        for file in _files(waiting.pop(), folder):
            name = file.relative_to(folder).as_posix()
            if name in files:
                continue
            files[name] = file
            if len(files) > MANY_FILES:
                raise UserError(f"{option}: {module} would take more than {MANY_FILES:,} files along", hint=_HINT)
            waiting += _imported(file)


def _files(module: str, folder: Path) -> Iterator[Path]:
    """module.py, or the Python files of the package of that name."""
    if not module.isidentifier():
        return
    if (folder / module).is_dir():
        yield from sorted(file for file in (folder / module).rglob("*.py") if file.is_file())
    if (folder / f"{module}.py").is_file():
        yield folder / f"{module}.py"


def _imported(file: Path) -> Iterator[str]:
    """The top-level names of what the file imports. Read by pattern: nothing of it is parsed or run on this side."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    for match in _IMPORT.finditer(text):
        for name in (match[1] or match[2]).split(","):
            yield name.strip().partition(" ")[0].partition(".")[0]

"""Which toolchains there are: a `toolchain.toml` in any room of the package, or where an entry point points."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from dlpipe.errors import UserError
from dlpipe.toolchains.spec import Spec, read_spec

ENTRY_POINTS = "dlpipe.toolchains"
_PACKAGE = Path(__file__).resolve().parents[1]


class Registry:
    """Name -> Spec. `folders` are searched besides the package itself (all the way down)."""

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._folders = (_PACKAGE, *folders)

    def add(self, folder: Path) -> None:
        """Search that one too, from now on."""
        if folder not in self._folders:
            self._folders = (*self._folders, folder)
            for known in ("_own", "_all"):
                self.__dict__.pop(known, None)

    def get(self, name: str) -> Spec:
        """Raises UserError that lists near matches."""
        # Entry points are read only when the name is not ours: finding them costs more than all our own files.
        spec = self._own.get(name) or self._all.get(name)
        if spec is None:
            near = difflib.get_close_matches(name, self._all, n=3, cutoff=0.5)
            known = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(self.names())}"
            raise UserError(f"no toolchain is called {name!r}", hint=known)
        return spec

    def names(self) -> list[str]:
        return sorted(self._all)

    def builds(self, name: str) -> list[Spec]:
        """Other builds of that toolchain (see `builds.py`)."""
        return [spec for spec in self._own.values() if spec.build_of == name]

    @cached_property
    def _own(self) -> dict[str, Spec]:
        return _read(file for folder in self._folders for file in _files(folder))

    @cached_property
    def _all(self) -> dict[str, Spec]:
        plugged = [file for folder in _plugged_in() for file in _files(folder)]
        return _read([*(spec.source for spec in self._own.values()), *plugged])


def _files(folder: Path) -> Iterator[Path]:
    for where, subfolders, files in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if name != "__pycache__")
        if "toolchain.toml" in files:
            yield Path(where, "toolchain.toml")


def _read(files: Iterable[Path]) -> dict[str, Spec]:
    specs: dict[str, Spec] = {}
    for file in files:
        spec = read_spec(file)
        if other := specs.get(spec.name):
            raise UserError(f"two toolchains are called {spec.name!r}: {other.source} and {file}")
        specs[spec.name] = spec
    return specs


def _plugged_in() -> Iterator[Path]:
    for point in entry_points(group=ENTRY_POINTS):
        found = find_spec(point.module)
        if found is None:
            raise UserError(
                f"entry point {point.name!r} of {ENTRY_POINTS} names {point.module}, which is not installed"
            )
        yield from (Path(place) for place in found.submodule_search_locations or ())

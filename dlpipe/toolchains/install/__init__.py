"""How environments come to be: one module per kind of toolchain, each an `Installer`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from dlpipe.toolchains.spec import Spec


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installer made. `python` is relative to the folder; `visible` are absolute folders beside it."""

    versions: Mapping[str, str]
    python: str | None = None
    visible: tuple[str, ...] = field(default=())


class Installer(Protocol):
    """A module of this package, named after the `kind` of a toolchain."""

    def install(self, spec: Spec, lock: str, folder: Path, say: Callable[[str], None]) -> Installed:
        """Fill the empty `folder` with exactly what `lock` (the text) says, and check that it is that.

        The folder is renamed afterwards, so nothing inside may hold its absolute path. Errors: ToolMissing or
        UserError that say what to do; OSError (a full disk) may fly. The caller removes the folder then.
        """

    def lock(self, spec: Spec, say: Callable[[str], None]) -> str:
        """Resolve the toolchain as of today: the text of a new lock, without index addresses or absolute paths."""

    def locked_versions(self, lock: str) -> dict[str, str]:
        """Package -> version, as the lock says. Raises UserError when the text is not a lock."""


def installer(kind: str) -> Installer:
    return cast("Installer", importlib.import_module(f"{__name__}.{kind}"))

"""What a package holds: files, and links within it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dlpipe.errors import UserError

SIGNATURE = "model.sig"  # where OpenSSF's model signing puts it
PROVENANCE = "provenance.json"
BOM = "bom.cdx.json"
CARD = "MODEL_CARD.md"
ENCRYPTED = "encrypted.json"  # of an artefact whose weights are encrypted
DOCUMENTS = frozenset({SIGNATURE, PROVENANCE, BOM, CARD})  # what signing adds


@dataclass(frozen=True, slots=True)
class Contents:
    """`files`: name -> SHA-256 in hex, `links`: name -> where it points, relative as it stands there. Names are POSIX
    paths below the folder, in the order of their parts."""

    files: Mapping[str, str]
    links: Mapping[str, str]

    def without(self, names: frozenset[str]) -> Contents:
        return Contents({name: value for name, value in self.files.items() if name not in names}, self.links)


def read(folder: Path) -> Contents:
    """Hash all of a package. Raises UserError when it is none, or holds what cannot be shipped: a device, a pipe, a
    link that leads out of it."""
    if not folder.is_dir():
        raise no_folder(folder)
    files, links = {}, {}
    for name, path in _walk(folder):
        if path.is_symlink():
            links[name] = link_within(name, str(path.readlink()))
        elif path.is_file():
            with path.open("rb") as file:
                files[name] = hashlib.file_digest(file, "sha256").hexdigest()
        else:
            raise UserError(f"{path} is neither a file nor a folder: it cannot be shipped", hint="remove it")
    return Contents(files, links)


def no_folder(folder: Path) -> UserError:
    return UserError(f"{folder} is no folder", hint="name the output folder of `dlpipe convert`, or an artefact in it")


def before_encryption(folder: Path) -> Mapping[str, Any] | None:
    """What an encrypted artefact says of the one that it was: `artifact`, its digest, and the `files` encrypted.
    Raises UserError when that is damaged."""
    try:
        said: Mapping[str, Any] = json.loads((folder / ENCRYPTED).read_bytes())
        return {"artifact": str(said["artifact"]), "files": [*map(str, said["files"])]}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UserError(f"{folder / ENCRYPTED} is damaged: {error}", hint="get the package again") from error


def _walk(folder: Path) -> list[tuple[str, Path]]:
    """Everything but folders; a link to a folder is a link."""
    found = []
    for where, folders, names in os.walk(folder):
        found += [Path(where, name) for name in names]
        found += [Path(where, name) for name in folders if Path(where, name).is_symlink()]
    named = [(path.relative_to(folder).as_posix(), path) for path in found]
    return sorted(named, key=lambda pair: PurePosixPath(pair[0]))


def link_within(name: str, target: str) -> str:
    """`target`, once it is sure that a link `name` to it stays within the package. Raises UserError."""
    there = os.path.normpath(os.path.join(os.path.dirname(name), target))  # noqa: PTH118, PTH120 - text, not a place
    if os.path.isabs(target) or there.split("/")[0] == "..":  # noqa: PTH117 - text, not a place
        raise UserError(f"the link {name} leads out of the package, to {target}", hint="remove it, or copy the file in")
    return target

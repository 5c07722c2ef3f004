"""The folder that `convert` leaves: complete or not there at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlpipe.errors import UserError
from dlpipe.pipeline.store import Store, hash_file
from dlpipe.pipeline.store.disk import writing

MANIFEST = "manifest.json"


def check_free(out: Path) -> None:
    """Raises UserError when `out` exists and is not an earlier output (nothing of the user's is ever replaced), and
    DiskTrouble where no folder can be made: told before the work, not after it."""
    with writing(out, "the output folder"):
        ground = next((each for each in out.absolute().parents if each.exists()), out)  # "/" has no parents
        if not ground.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(ground, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        taken = out.exists() and any(out.iterdir() if out.is_dir() else [out]) and not (out / MANIFEST).is_file()
    if taken:
        raise UserError(f"{out} exists and is no output folder of dlpipe", hint="choose another with --out")


@contextmanager
def output_folder(out: Path) -> Iterator[Path]:
    """Yields a folder beside `out` to fill; it takes `out`'s place when the block ends well, else it goes.

    Raises as `check_free` does, and DiskTrouble when the disk is full.
    """
    check_free(out)
    making, old = (out.with_name(f".dlpipe-{secrets.token_hex(8)}-{word}") for word in ("making", "old"))
    try:
        with writing(out, "the output folder"):
            making.mkdir(parents=True)
            yield making
            if out.exists():
                out.rename(old)
            making.rename(out)
    finally:
        shutil.rmtree(making, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def export_artifacts(store: Store, folder: Path, model: str, artifacts: Mapping[str, str]) -> None:
    """The optimised IR, and every artefact under its path (path -> tree digest)."""
    store.export(model, folder / "model")
    for each in sorted((folder / "model").iterdir()):
        each.rename(folder / each.name)
    (folder / "model").rmdir()
    for path, tree in artifacts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        store.export(tree, folder / path)


def link_selected(folder: Path, selected: Mapping[str, str]) -> None:
    """`selected/<target>`: a link to the chosen artefact, or a copy where links are not possible."""
    for target, path in selected.items():
        (folder / "selected").mkdir(exist_ok=True)
        place = folder / "selected" / target
        try:
            place.symlink_to(Path("..") / path)
        except OSError:
            shutil.copytree(folder / path, place)


def write_manifest(folder: Path, provenance: Mapping[str, Any]) -> None:
    """Every file with its SHA-256 and size, and where it all came from."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] != "selected":
            files[name.as_posix()] = {"sha256": hash_file(path), "size": path.stat().st_size}
    manifest = {"schema": "dlpipe.manifest/1", "provenance": dict(provenance), "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

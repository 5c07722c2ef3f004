"""The folder that `convert` leaves: complete or not there at all, and an earlier result that differs is kept."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlpipe.errors import UserError
from dlpipe.pipeline.store import Store, hash_file
from dlpipe.pipeline.store.disk import HIDDEN, writing

MANIFEST = "manifest.json"


def check_free(out: Path) -> None:
    """Told before the work, not after it. Raises UserError when `out`, or the place that an earlier output moves to, is
    taken by what is no output of dlpipe (nothing of the user's is ever replaced), or `out` is the folder that the user
    stands in; DiskTrouble where no folder can be made."""
    if out.name in ("", ".."):
        raise UserError(f"{out} cannot be replaced as a whole", hint="name a folder of its own, e.g. --out result")
    with writing(out, "the output folder"):
        ground = next((each for each in out.absolute().parents if each.exists()), out)  # "/" has no parents
        if not ground.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        _try(ground)
        places = (out, previous(out)) if (out / MANIFEST).is_file() else (out,)
        taken = next((each for each in places if _is_foreign(each)), None)
    if taken is not None:
        raise UserError(f"{taken} exists and is no output folder of dlpipe", hint="choose another with --out")


def _try(ground: Path) -> None:
    """Whether a folder can be made there, which permissions alone do not tell: root may do everything, but /proc takes
    none. Raises OSError."""
    try:
        Path(tempfile.mkdtemp(prefix=HIDDEN, dir=ground)).rmdir()
    except FileNotFoundError as error:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from error


def previous(out: Path) -> Path:
    """Where an earlier result goes when a different one takes its place."""
    return out.with_name(f"{out.name}.previous")


def _is_foreign(place: Path) -> bool:
    return place.exists() and any(place.iterdir() if place.is_dir() else [place]) and not (place / MANIFEST).is_file()


@contextmanager
def output_folder(out: Path, kept: Callable[[Path], object] = lambda _: None) -> Iterator[Path]:
    """Yields a folder beside `out` to fill; it takes `out`'s place when the block ends well, else it goes.

    An earlier output with another result is not lost: it becomes `previous(out)` (one generation), which `kept` is
    told. Raises as `check_free` does, and DiskTrouble when the disk is full.
    """
    check_free(out)
    making, old = (out.with_name(f"{HIDDEN}{secrets.token_hex(8)}-{word}") for word in ("making", "old"))
    try:
        with writing(out, "the output folder"):
            making.mkdir(parents=True)
            yield making
            keep = (out / MANIFEST).is_file() and _result(out) != _result(making)
            _move(_in_order(making, out, old, keep=keep))
        shutil.rmtree(old, ignore_errors=True)  # not before all is in its place
        if keep:
            kept(previous(out))
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _in_order(making: Path, out: Path, old: Path, *, keep: bool) -> list[tuple[Path, Path]]:
    """Killed between any two of these moves, no result is half there, and the latest complete one has a name."""
    moves = [(making, out)]
    if keep:
        moves.insert(0, (out, previous(out)))
        if previous(out).exists():
            moves.insert(0, (previous(out), old))
    elif out.exists():
        moves.insert(0, (out, old))
    return moves


def _move(moves: list[tuple[Path, Path]]) -> None:
    """All of them, or none: what was moved goes back when one fails, or Ctrl-C is pressed. Raises OSError."""
    done: list[tuple[Path, Path]] = []
    try:
        for here, there in moves:
            here.rename(there)
            done.append((here, there))
    except BaseException:
        for here, there in reversed(done):
            there.rename(here)
        raise


def _result(folder: Path) -> object:
    """What makes an output what it is: its files but the reports, which every run writes anew, and for which targets
    one was chosen. None where the manifest cannot be read: equal to no whole one."""
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        digests = {name: entry["sha256"] for name, entry in files.items() if not name.startswith("report.")}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    selected = folder / "selected"
    return digests, sorted(each.name for each in selected.iterdir()) if selected.is_dir() else []


def export_into(store: Store, folder: Path, tree: str) -> None:
    """The files of a tree, among what is in the folder already."""
    apart = folder / f".{tree}"
    store.export(tree, apart)
    for each in sorted(apart.iterdir()):
        each.rename(folder / each.name)
    apart.rmdir()


def export_artifacts(store: Store, folder: Path, model: str, artifacts: Mapping[str, str]) -> None:
    """The optimised IR, and every artefact under its path (path -> tree digest)."""
    export_into(store, folder, model)
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

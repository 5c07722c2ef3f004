"""The output folder: complete or not there, told before the work, and never in the place of the user's own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dlpipe.errors import DiskTrouble, UserError
from dlpipe.pipeline.output import MANIFEST, check_free, output_folder, write_manifest
from dlpipe.pipeline.store import Store


def convert(out: Path, artefact: str, *, chosen: bool = True, kept: Callable[[Path], object] = print) -> None:
    """What a run leaves: reports that differ every time, and an artefact."""
    with output_folder(out, kept) as folder:
        (folder / "report.json").write_text(folder.name)
        (folder / "artifacts").mkdir()
        (folder / "artifacts" / "net").write_text(artefact)
        (folder / "selected").mkdir()
        if chosen:
            (folder / "selected" / "arm64").symlink_to("../artifacts/net")
        write_manifest(folder, {})


def artefacts(folder: Path) -> dict[str, str]:
    return {each.name: (each / "artifacts" / "net").read_text() for each in folder.iterdir() if each.is_dir()}


def test_a_name_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    with output_folder(tmp_path / ("n" * 255)) as folder:
        (folder / MANIFEST).touch()
    assert [each.name for each in tmp_path.iterdir()] == ["n" * 255]


def test_places_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "out", tmp_path / ("n" * 256), Path("/proc/out")):
        with pytest.raises(DiskTrouble):
            check_free(place)


def test_a_full_disk_is_told_by_the_folder_that_was_named(tmp_path: Path) -> None:
    """The folder that is filled meanwhile is gone when the user reads it."""
    store = Store(tmp_path / "store")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "weights").write_bytes(bytes(1 << 20))
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], check=False).returncode:
        pytest.skip("not run: a small disk cannot be mounted here")
    try:
        with store.pin("run"), pytest.raises(DiskTrouble, match="the output folder's disk is full") as caught:
            _export(store, store.ingest(tmp_path / "made").digest, disk / "out")
        assert caught.value.hint == f"free some space on the disk of {disk}"
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)


def _export(store: Store, tree: str, out: Path) -> None:
    with output_folder(out) as folder:
        store.export(tree, folder / "artifact")


def test_the_users_own_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    for place in (tmp_path, Path("/")):
        with pytest.raises(UserError):
            check_free(place)


def test_the_folder_that_the_user_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for place in (Path(), Path("..")):
        with pytest.raises(UserError):
            check_free(place)


def test_an_error_leaves_the_earlier_output_as_it_was(tmp_path: Path) -> None:
    with output_folder(tmp_path / "out") as folder:
        (folder / MANIFEST).write_text("first")
    with pytest.raises(ZeroDivisionError), output_folder(tmp_path / "out") as folder:
        raise ZeroDivisionError
    assert (tmp_path / "out" / MANIFEST).read_text() == "first"
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_the_same_result_takes_the_place_of_the_earlier(tmp_path: Path) -> None:
    out, kept = tmp_path / "out", list[Path]()
    convert(out, "a")
    first = (out / "report.json").read_text()
    convert(out, "a", kept=kept.append)
    assert artefacts(tmp_path) == {"out": "a"}
    assert (out / "report.json").read_text() != first
    assert not kept


def test_another_result_is_kept_for_one_generation(tmp_path: Path) -> None:
    out, kept = tmp_path / "out", list[Path]()
    convert(out, "a")
    convert(out, "b", kept=kept.append)
    assert artefacts(tmp_path) == {"out": "b", "out.previous": "a"}
    convert(out, "c", kept=kept.append)
    assert artefacts(tmp_path) == {"out": "c", "out.previous": "b"}
    convert(out, "c", chosen=False, kept=kept.append)
    assert (tmp_path / "out.previous" / "selected" / "arm64").is_symlink()
    assert kept == [tmp_path / "out.previous"] * 3


def test_a_result_whose_manifest_cannot_be_read_is_kept(tmp_path: Path) -> None:
    convert(tmp_path / "out", "a")
    for damaged in ("not JSON", "[]", '{"files": 1}', '{"files": {"x": null}}'):
        (tmp_path / "out" / MANIFEST).write_text(damaged)
        convert(tmp_path / "out", damaged)
        assert (tmp_path / "out.previous" / MANIFEST).read_text() == damaged


def test_the_users_own_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "out.previous").mkdir()
    convert(tmp_path / "out", "a")
    (tmp_path / "out.previous" / "thesis.txt").touch()
    with pytest.raises(UserError, match=r"out\.previous"):
        check_free(tmp_path / "out")
    assert (tmp_path / "out" / "artifacts" / "net").read_text() == "a"


@pytest.mark.parametrize("fails", range(3))
@pytest.mark.parametrize("error", [PermissionError(13, "no"), KeyboardInterrupt()])
def test_a_move_that_fails_undoes_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, fails: int
) -> None:
    for artefact in "ab":
        convert(tmp_path / "out", artefact)
    rename, moves = Path.rename, list[Path]()

    def fail_once(here: Path, there: Path) -> Path:
        moves.append(here)
        if len(moves) == fails + 1:
            raise error
        return rename(here, there)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises((DiskTrouble, KeyboardInterrupt)):
        convert(tmp_path / "out", "c")
    assert artefacts(tmp_path) == {"out": "b", "out.previous": "a"}


@pytest.mark.parametrize("after", range(4))
def test_a_kill_between_the_moves_loses_no_result(tmp_path: Path, repo_root: Path, after: int) -> None:
    for artefact in "ab":
        convert(tmp_path / "out", artefact)
    child = subprocess.run([sys.executable, "-c", DYING, tmp_path / "out", str(after)], cwd=repo_root, check=False)
    assert child.returncode == -signal.SIGKILL
    assert "b" in {text for name, text in artefacts(tmp_path).items() if not name.startswith(".")}
    assert set(artefacts(tmp_path).values()) == set("abc")  # each of them whole


DYING = """
import os, shutil, signal, sys
from pathlib import Path
from tests.pipeline.test_output import convert

rename, left = Path.rename, int(sys.argv[2])

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def move(here, there):
    global left
    if not left:
        die()
    left -= 1
    return rename(here, there)

Path.rename, shutil.rmtree = move, die
convert(Path(sys.argv[1]), "c")
"""

"""What goes in comes out, and stays what it was."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlpipe.contracts.json import digest
from dlpipe.errors import BadModel, UserError
from dlpipe.pipeline.store import Lost, Store, hash_file
from tests.pipeline.store.making import FILES, contents, objects, record, write

_part = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda part: part not in (".", "..")
)
_trees = st.dictionaries(
    st.lists(_part, min_size=1, max_size=3).map("/".join), st.binary(max_size=40), max_size=6
).filter(lambda files: not any(other.startswith(name + "/") for name in files for other in files))


@given(files=_trees, seed=st.integers(1, 10**9))
@settings(max_examples=60, deadline=None)
def test_any_small_folder_survives_and_its_digest_is_of_names_and_contents_only(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    store = Store(folder / "store")
    one = store.ingest(write(folder / "one", files))
    other = write(folder / "other", dict(reversed(files.items())))
    for path in other.rglob("*"):
        os.utime(path, (seed, seed))
    assert store.ingest(other) == one
    for link in (True, False):
        store.checkout(one.digest, folder / f"out-{link}", link=link)
        assert contents(folder / f"out-{link}") == files
    store.export(one.digest, folder / "export")
    assert contents(folder / "export") == files


def test_a_digest_is_that_of_the_public_contract(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", FILES)
    pairs = sorted((name, hash_file(folder / name)) for name in FILES)
    assert Store(tmp_path / "store").ingest(folder).digest == digest([list(pair) for pair in pairs])


def test_a_file_becomes_a_folder_of_one(tmp_path: Path) -> None:
    (tmp_path / "x.pb").write_bytes(b"graph")
    tree = Store(tmp_path / "store").ingest(tmp_path / "x.pb")
    assert [(file.name, file.size) for file in tree.files] == [("x.pb", 5)]


def test_files_and_folders_under_chosen_names(tmp_path: Path) -> None:
    write(tmp_path / "data", {"yes/1.wav": b"1"})
    (tmp_path / "labels").write_bytes(b"yes")
    tree = Store(tmp_path / "store").ingest_files({"labels.txt": tmp_path / "labels", "clips": tmp_path / "data"})
    assert [file.name for file in tree.files] == ["clips/yes/1.wav", "labels.txt"]


def test_equal_contents_are_kept_once_and_read_only(tmp_path: Path) -> None:
    Store(tmp_path / "store").ingest(write(tmp_path / "in", {"a": b"same", "b/c": b"same"}))
    (only,) = objects(tmp_path / "store")
    assert stat.S_IMODE(only.stat().st_mode) == 0o444


def test_links_are_for_workers_only(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    tree = store.ingest(write(tmp_path / "in", {"a": b"content"}))
    store.checkout(tree.digest, tmp_path / "linked", link=True)
    store.export(tree.digest, tmp_path / "exported")
    (inside,) = objects(tmp_path / "store")
    assert (tmp_path / "linked" / "a").samefile(inside)
    assert not (tmp_path / "exported" / "a").samefile(inside)


def test_an_edit_of_an_exported_file_does_not_reach_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    tree = store.ingest(write(tmp_path / "in", FILES))
    stored = store.put(record(tree, stage=1))
    store.export(tree.digest, tmp_path / "out")
    with (tmp_path / "out" / "model.onnx").open("r+b") as file:
        file.write(b"the user's own")
    assert store.get(stored.key) == stored
    assert store.read(tree.digest, "model.onnx") == FILES["model.onnx"]
    assert store.verify() == []


def test_export_replaces_what_was_there_and_leaves_nothing_beside(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    tree = store.ingest(write(tmp_path / "in", FILES))
    write(tmp_path / "place" / "out", {"old": b"old"})
    store.export(tree.digest, tmp_path / "place" / "out")
    store.export_file(tree.digest, "model.onnx", tmp_path / "place" / "my.onnx")
    store.export_file(tree.digest, "model.onnx", tmp_path / "place" / "my.onnx")
    assert contents(tmp_path / "place") == {
        **{f"out/{name}": content for name, content in FILES.items()},
        "my.onnx": FILES["model.onnx"],
    }


def test_executables_stay_executable_and_never_share_an_inode(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    folder = write(tmp_path / "in", {"run": b"#!/bin/sh\n", "data": b"#!/bin/sh\n"})
    (folder / "run").chmod(0o755)
    tree = store.ingest(folder)
    store.checkout(tree.digest, tmp_path / "worker", link=True)
    store.export(tree.digest, tmp_path / "user")
    for place in ("worker", "user"):
        assert os.access(tmp_path / place / "run", os.X_OK)
        assert not (tmp_path / place / "data").stat().st_mode & 0o111
    assert tree.digest != store.ingest(write(tmp_path / "plain", contents(folder))).digest


def test_a_moved_folder_is_emptied_and_its_open_files_stay_outside(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    folder = write(tmp_path / "out", {"a/b": b"result"})
    with (folder / "a" / "b").open("r+b") as still_open:
        tree = store.ingest(folder, move=True)
        assert list(folder.iterdir()) == []
        still_open.write(b"poison")
    assert store.read(tree.digest, "a/b") == b"result"


def test_links_that_stay_inside_are_followed(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"real/a": b"1"})
    (folder / "file").symlink_to("real/a")
    (folder / "folder").symlink_to(folder / "real")
    tree = Store(tmp_path / "store").ingest(folder)
    assert [file.name for file in tree.files] == ["file", "folder/a", "real/a"]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("/etc/passwd", "leaves"),
        ("../secret", "leaves"),
        ("nothing", "leads nowhere"),
        ("inner", "leads"),
        (".", "back"),
    ],
)
def test_links_that_leave_or_run_in_circles_are_refused(tmp_path: Path, target: str, says: str) -> None:
    write(tmp_path, {"secret": b"mine"})
    folder = write(tmp_path / "in", {"a": b"1"})
    (folder / "inner").symlink_to(target)
    with pytest.raises(BadModel, match=says):
        Store(tmp_path / "store").ingest(folder)
    assert objects(tmp_path / "store") == []


def test_devices_pipes_and_sockets_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {})
    os.mkfifo(folder / "pipe")
    with pytest.raises(BadModel, match="pipe"):
        Store(tmp_path / "store").ingest(folder)
    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
        with pytest.raises(BadModel, match="socket"):
            Store(tmp_path / "store").ingest(folder)
    with pytest.raises(BadModel, match="regular"):
        Store(tmp_path / "store").ingest(Path("/dev/zero"))


def test_names_that_are_not_text_and_folders_without_end_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {})
    (folder / os.fsdecode(b"\xff\xfe")).write_bytes(b"")
    with pytest.raises(BadModel, match="UTF-8"):
        Store(tmp_path / "store").ingest(folder)
    write(tmp_path / "deep", {"/".join(["d"] * 120) + "/f": b""})
    with pytest.raises(BadModel, match="inside each other"):
        Store(tmp_path / "store").ingest(tmp_path / "deep")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(UserError, match="there is no"):
        store.ingest(tmp_path / "nothing")
    with pytest.raises(Lost):
        store.tree("0" * 64)
    with pytest.raises(Lost):
        store.blob("0" * 64)
    with pytest.raises(LookupError):
        store.read(store.ingest(write(tmp_path / "in", FILES)).digest, "other")
    assert store.get("0" * 64) is None
    for name in ("../../etc/passwd", "0" * 63, "G" * 64):
        with pytest.raises(ValueError, match="SHA-256"):
            store.get(name)


def test_a_log_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    log = store.put_blob(b"chatter")
    stored = store.put(record(None, log=log, stage=1))
    assert store.get(stored.key) == stored
    assert store.blob(log) == b"chatter"
    assert store.gc(0, grace=0) > 0
    assert store.get(stored.key) is None

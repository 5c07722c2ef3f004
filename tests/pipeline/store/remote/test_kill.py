"""A machine, or gc, dies with -9 between any two of its requests to the bucket."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from dlpipe.contracts.json import digest
from dlpipe.pipeline.store import Record, Store
from dlpipe.pipeline.store.remote import Bucket
from dlpipe.pipeline.store.remote.gc import collect
from dlpipe.pipeline.store.values import File, Tree
from tests.pipeline.store.making import contents, record, write
from tests.pipeline.store.remote.machines import DAY, UNUSED_A_MONTH
from tests.pipeline.store.remote.servers import BUCKET, S3

FILES = {"model.onnx": b"weights" * 1000, "labels.txt": b"yes\nno\n"}
KEPT = {"labels.txt": FILES["labels.txt"]}
KEPT_TREE = Tree.of([File("labels.txt", sha256(KEPT["labels.txt"]).hexdigest(), len(KEPT["labels.txt"]))]).digest
PARTS = {"stage": "killed"}
REPOSITORY = Path(__file__).resolve().parents[4]


def main() -> None:
    """`test_kill.py DOES URL ROOT EVERY`: does it, killed at its request of number 0, EVERY, 2 x EVERY and so on, each
    time below URL/NUMBER and with a store of its own; prints the first number that it has not."""
    does, url, root, every = sys.argv[1:]
    import s3fs  # noqa: F401 - once, not in each child

    step = 0
    while True:
        child = os.fork()
        if child == 0:
            DOES[does](f"{url}/{step}", Path(root, str(step)), step)
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            break
        step += int(every)
    print(step)


def put(url: str, root: Path, step: int) -> None:
    """A stage's result."""
    die_at(step)
    stage(Store(root / "store", bucket=Bucket(url)), write(root / "in", FILES))


def gc(url: str, root: Path, step: int) -> None:
    """Of a stage that nobody used, while a tree with one of its files stays."""
    store = Store(root / "store", bucket=Bucket(url))
    stage(store, write(root / "in", FILES))
    store.ingest(write(root / "kept", KEPT))
    store.share(KEPT_TREE)
    die_at(step)
    clean(url, 40)


def clean(url: str, days: float) -> None:
    collect(Bucket(url), UNUSED_A_MONTH, time.time() + days * DAY, roots=lambda: [KEPT_TREE])


def stage(store: Store, folder: Path) -> Record:
    return store.put(record(store.ingest(folder), 1, store.put_blob(b"log"), **PARTS))


DOES: dict[str, Callable[[str, Path, int], None]] = {"put": put, "gc": gc}


def die_at(step: int) -> None:
    import s3fs

    real, count = s3fs.S3FileSystem._call_s3, [0]

    async def call(self: object, *args: object, **kwargs: object) -> object:
        if count[0] == step:
            os.kill(os.getpid(), 9)
        count[0] += 1
        return await real(self, *args, **kwargs)

    s3fs.S3FileSystem._call_s3 = call


def killed(does: str, url: str, root: Path, every: int = 1) -> int:
    """The first number of a request that it has not."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipeline.store.remote.test_kill", does, url, str(root), str(every)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return int(done.stdout)


def test_a_machine_killed_at_any_request_leaves_nothing_half(tmp_path: Path, s3: S3) -> None:
    url = f"s3://{BUCKET}/{tmp_path.name}"
    folder = write(tmp_path / "in", FILES)
    steps = killed("put", url, tmp_path / "roots")
    assert steps >= 8  # is it there, and here it is: of two files, a log, a tree, a record
    found = 0
    for step in range(steps + 1):
        damage: list[object] = []
        other = Store(tmp_path / f"other-{step}", bucket=Bucket(f"{url}/{step}"), on_damage=damage.append)
        seen = other.get(digest(PARTS))
        assert damage == []
        found += seen is not None
        again = stage(other, folder)
        assert again.output is not None
        third = Store(tmp_path / f"third-{step}", bucket=Bucket(f"{url}/{step}"), on_damage=damage.append)
        assert third.get(digest(PARTS)) == again
        third.export(again.output, tmp_path / f"out-{step}")
        assert contents(tmp_path / f"out-{step}") == FILES
        assert damage == []
    assert found == 1  # of the one that was not killed


def test_gc_killed_at_a_request_leaves_what_can_be_trusted(tmp_path: Path, s3: S3) -> None:
    """At every request: test_gc_meanwhile.py, in memory."""
    url = f"s3://{BUCKET}/{tmp_path.name}"
    steps = killed("gc", url, tmp_path / "roots", every=7)
    assert steps >= 20
    found = 0
    for step in range(0, steps + 1, 7):
        damage: list[object] = []
        other = Store(tmp_path / f"other-{step}", bucket=Bucket(f"{url}/{step}"), on_damage=damage.append)
        seen = other.get(digest(PARTS))
        found += seen is not None
        wanted = {"kept": (KEPT_TREE, KEPT)} | ({"seen": (str(seen.output), FILES)} if seen is not None else {})
        for name, (tree, files) in wanted.items():
            other.export(tree, tmp_path / f"{name}-{step}")
            assert contents(tmp_path / f"{name}-{step}") == files
        assert damage == []
        for days in (42, 44):  # others come, and bring it to its end
            clean(f"{url}/{step}", days)
        left = [entry.name.split("/")[0] for entry in Bucket(f"{url}/{step}").listing("")]
        assert left == ["objects", "trees"]
    assert 0 < found < steps


if __name__ == "__main__":
    main()

"""A machine dies with -9 between any two of its requests to the bucket."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from dlpipe.contracts.json import digest
from dlpipe.pipeline.store import Store
from dlpipe.pipeline.store.remote import Bucket
from tests.pipeline.store.making import contents, record, write
from tests.pipeline.store.remote.servers import BUCKET, S3

FILES = {"model.onnx": b"weights" * 1000, "labels.txt": b"yes\nno\n"}
PARTS = {"stage": "killed"}
REPOSITORY = Path(__file__).resolve().parents[4]


def main() -> None:
    """`test_kill.py URL ROOT FOLDER`: puts a stage's result, once for each step at which it is killed, each time below
    URL/STEP and in a store of its own; prints how many steps there are."""
    url, root, folder = sys.argv[1:]
    import s3fs  # noqa: F401 - once, not in each child

    step = 0
    while True:
        child = os.fork()
        if child == 0:
            die_at(step)
            store = Store(Path(root, str(step)), bucket=Bucket(f"{url}/{step}"))
            store.put(record(store.ingest(Path(folder)), 1, store.put_blob(b"log"), **PARTS))
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            break
        step += 1
    print(step)


def die_at(step: int) -> None:
    import s3fs

    real, count = s3fs.S3FileSystem._call_s3, [0]

    async def call(self: object, *args: object, **kwargs: object) -> object:
        if count[0] == step:
            os.kill(os.getpid(), 9)
        count[0] += 1
        return await real(self, *args, **kwargs)

    s3fs.S3FileSystem._call_s3 = call


def test_a_machine_killed_at_any_request_leaves_nothing_half(tmp_path: Path, s3: S3) -> None:
    url = f"s3://{BUCKET}/{tmp_path.name}"
    folder = write(tmp_path / "in", FILES)
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipeline.store.remote.test_kill", url, str(tmp_path / "roots"), str(folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    steps = int(done.stdout)
    assert steps >= 8  # is it there, and here it is: of two files, a log, a tree, a record
    found = 0
    for step in range(steps + 1):
        damage: list[object] = []
        other = Store(tmp_path / f"other-{step}", bucket=Bucket(f"{url}/{step}"), on_damage=damage.append)
        seen = other.get(digest(PARTS))
        assert damage == []
        found += seen is not None
        again = other.put(record(other.ingest(folder), 1, other.put_blob(b"log"), **PARTS))
        assert again.output is not None
        third = Store(tmp_path / f"third-{step}", bucket=Bucket(f"{url}/{step}"), on_damage=damage.append)
        assert third.get(digest(PARTS)) == again
        third.export(again.output, tmp_path / f"out-{step}")
        assert contents(tmp_path / f"out-{step}") == FILES
        assert damage == []
    assert found == 1  # of the one that was not killed


if __name__ == "__main__":
    main()

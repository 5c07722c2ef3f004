"""Machines that share a bucket, for the tests of its gc."""

from __future__ import annotations

import itertools
from pathlib import Path

from dlpipe.pipeline.store import Problem, Record, Store
from dlpipe.pipeline.store.gc import Limits
from dlpipe.pipeline.store.remote import Bucket
from dlpipe.pipeline.store.remote.gc import GRACE_SECONDS
from tests.pipeline.store.making import contents, record, write

DAY = 86400.0
UNUSED_A_MONTH = Limits(None, 30 * DAY, GRACE_SECONDS)
FILES = {"model": b"weights" * 100, "shared": b"in each"}
_fresh = itertools.count()


class Machine:
    """Its cache lies in a folder that no other machine sees."""

    def __init__(self, root: Path, bucket: Bucket) -> None:
        self.root = root
        self.damage: list[Problem] = []
        self.store = Store(root / "store", bucket=bucket, on_damage=self.damage.append)

    def make(self, stage: int, files: dict[str, bytes]) -> Record:
        tree = self.store.ingest(write(self.root / f"in-{stage}", files))
        return self.store.put(record(tree, stage, self.store.put_blob(b"log"), stage=stage))

    def finds(self, stage: Record, files: dict[str, bytes]) -> bool:
        """Whether it is there; then it is right."""
        found = self.store.get(stage.key)
        assert self.damage == []
        if found is not None:
            out = self.root / f"out-{next(_fresh)}"
            assert found == stage
            assert found.output is not None
            self.store.export(found.output, out)
            assert contents(out) == files
        return found is not None

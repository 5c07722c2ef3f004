"""Whatever is done to the bucket and in whatever order, nobody ever gets wrong bytes or a record of half a tree."""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import fsspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from dlpipe.contracts.json import digest
from dlpipe.pipeline.store import Lost, Store
from dlpipe.pipeline.store.gc import Limits
from dlpipe.pipeline.store.remote import Bucket
from dlpipe.pipeline.store.remote.gc import collect
from tests.pipeline.store.making import contents, objects, overwrite, record, write

STAGES = {n: {"weights": bytes([n]) * 3000, "shared": b"in each"} for n in range(3)}
machines = st.integers(0, 1)
stages = st.sampled_from(sorted(STAGES))
_fresh = itertools.count()


class Bucketful(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="any-order-")
        self.root = Path(self.folder.name)
        self.url = f"memory://any-order-{next(_fresh)}"
        self.day = 0
        self.files: Any = fsspec.filesystem("memory")
        self.stores = [Store(self.root / str(n), bucket=Bucket(self.url)) for n in range(2)]

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(machine=machines, stage=stages)
    def make(self, machine: int, stage: int) -> None:
        store = self.stores[machine]
        tree = store.ingest(write(self.root / f"in-{stage}", STAGES[stage]))
        kept = store.put(record(tree, stage, store.put_blob(b"log"), stage=stage))
        self.check(store, kept.output, stage)

    @rule(machine=machines, stage=stages)
    def look(self, machine: int, stage: int) -> None:
        store = self.stores[machine]
        found = store.get(digest({"stage": stage}))
        if found is not None:
            assert found.value == stage
            self.check(store, found.output, stage)

    @rule(number=st.integers(0, 20), how=st.sampled_from(["remove", "cut", "change", "swap"]))
    def damage_the_bucket(self, number: int, how: str) -> None:
        names = sorted(name for name in self.files.find(self.url) if "/damaged/" not in name)
        if not names:
            return
        name = names[number % len(names)]
        content = self.files.cat_file(name)
        match how:
            case "remove":
                self.files.rm_file(name)
            case "cut":
                self.files.pipe_file(name, content[: len(content) // 2])
            case "change":
                self.files.pipe_file(name, content[:-1] + bytes([content[-1] ^ 1]))
            case _:
                self.files.pipe_file(name, self.files.cat_file(names[(number + 1) % len(names)]))

    @rule(machine=machines, number=st.integers(0, 20), gone=st.booleans())
    def damage_a_machine(self, machine: int, number: int, gone: bool) -> None:
        there = objects(self.root / str(machine))
        if there and gone:
            there[number % len(there)].unlink()
        elif there:
            overwrite(there[number % len(there)], b"damaged")

    @rule(unused=st.booleans(), days=st.integers(0, 2))
    def make_room(self, unused: bool, days: int) -> None:
        self.day += days
        limits = Limits(None, 0.0 if unused else None, grace=0.0)
        collect(Bucket(self.url), limits, time.time() + self.day * 86400.0)

    @rule(machine=machines)
    def start_anew(self, machine: int) -> None:
        self.stores[machine] = Store(self.root / str(machine), bucket=Bucket(self.url))

    def check(self, store: Store, output: str | None, stage: int) -> None:
        assert output is not None
        out = self.root / "out"
        try:
            store.export(output, out)
        except Lost:  # never by itself: there was damage in both places
            return
        assert contents(out) == STAGES[stage]


TestBucketful = Bucketful.TestCase
TestBucketful.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)

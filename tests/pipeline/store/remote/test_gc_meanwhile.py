"""Between any two requests of gc, and of a machine that uses the bucket, something else happens to it."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
import pytest

from dlpipe.pipeline.store import Record
from dlpipe.pipeline.store.remote import Bucket
from dlpipe.pipeline.store.remote.gc import collect
from tests.pipeline.store.making import contents
from tests.pipeline.store.remote.machines import DAY, FILES, UNUSED_A_MONTH, Machine

_fresh = itertools.count()


class Watched(Bucket):
    """`before` happens before its request of number `step`, while its other requests wait.

    Where that is its death, there are no other requests. In memory, moving a file is a copy and a removal, as on S3."""

    def __init__(self, url: str, step: int, before: Callable[[], object]) -> None:
        super().__init__(url)
        self.steps = 0
        self.dead = False
        self._step, self._before, self._turn = step, before, threading.RLock()

    @cached_property
    def _files(self) -> Any:
        files, watched = super()._files, self

        class Requests:
            def __getattr__(self, name: str) -> Any:
                with watched._turn:
                    watched.steps += 1
                    if watched.steps == watched._step + 1 or watched.dead:
                        watched._before()
                return getattr(files, name)

        return Requests()


class DeathError(BaseException):
    """Of the machine where gc runs. Nobody handles it."""


def die(bucket: Watched) -> None:
    bucket.dead = True
    raise DeathError


@pytest.fixture(scope="module")
def stage_1(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, dict[str, bytes]]:
    """Its record, and what is in a bucket that holds it."""
    place = tmp_path_factory.mktemp("bucket")
    made = Machine(tmp_path_factory.mktemp("maker"), Bucket(f"file://{place}")).make(1, FILES)
    return made, contents(place)


def old_bucket(content: Mapping[str, bytes]) -> str:
    """The address of a new one, with what nobody used for long."""
    url, files = f"memory://gc-{next(_fresh)}", fsspec.filesystem("memory")
    for name, data in content.items():
        files.pipe_file(f"{url}/{name}", data)
        files.store[files._strip_protocol(f"{url}/{name}")].created -= timedelta(days=40)
    return url


def clean(url: str, days: float = 0) -> None:
    collect(Bucket(url), UNUSED_A_MONTH, time.time() + days * DAY)


def look(folder: Path, url: str, machine: Machine) -> None:
    """Its stage 2, which has the files of stage 1, is there now, after the next gc, and after that of another day;
    whether somebody reads it between these or not."""
    made, files = machine.make(2, FILES), fsspec.filesystem("memory")
    now = {name: files.store[name] for name in files.find(url)}
    for readings in [(0, 4), (4,)]:
        for name in files.find(url):
            del files.store[name]
        files.store.update(now)
        for days in (0, 2, 4):
            if days in readings:
                assert Machine(folder / f"reader-{readings}-{days}", Bucket(url)).finds(made, FILES)
            clean(url, days)
        kinds = Counter(entry.name.split("/")[0] for entry in Bucket(url).listing(""))
        assert set(kinds) == {"objects", "trees", "records", "used"}
        assert (kinds["objects"], kinds["trees"]) == (3, 1)


@pytest.mark.parametrize("who", ["machine", "gc and machine", "reader", "death"])
def test_in_the_middle_of_gc(tmp_path: Path, stage_1: tuple[Record, dict[str, bytes]], who: str) -> None:
    step = 0
    while gc_is_interrupted(tmp_path / str(step), stage_1, step, who.split(" and ")):
        step += 1
    assert step > 15


def gc_is_interrupted(folder: Path, stage_1: tuple[Record, dict[str, bytes]], step: int, by: Sequence[str]) -> bool:
    """Whether gc has so many requests."""
    made, content = stage_1
    url = old_bucket(content)
    machine, reader = (Machine(folder / name, Bucket(url)) for name in ("machine", "reader"))
    happens: dict[str, Callable[[], object]] = {
        "machine": lambda: machine.make(2, FILES),
        "gc": lambda: clean(url),
        "reader": lambda: reader.finds(made, FILES),
        "death": lambda: die(bucket),
    }
    bucket = Watched(url, step, lambda: [happens[each]() for each in by])
    with suppress(DeathError):
        collect(bucket, UNUSED_A_MONTH, time.time())
    reader.finds(made, FILES)
    look(folder, url, machine)
    return bucket.steps > step


@pytest.mark.parametrize("who", ["machine", "reader"])
def test_a_gc_in_the_middle(tmp_path: Path, stage_1: tuple[Record, dict[str, bytes]], who: str) -> None:
    step = 0
    while machine_is_interrupted(tmp_path / str(step), stage_1, step, who):
        step += 1
    assert step >= 4


def machine_is_interrupted(folder: Path, stage_1: tuple[Record, dict[str, bytes]], step: int, who: str) -> bool:
    """By a gc. Whether it has so many requests."""
    made, content = stage_1
    url = old_bucket(content)
    bucket = Watched(url, step, lambda: clean(url))
    machine = Machine(folder / who, bucket)
    if who == "machine":
        machine.make(2, FILES)
    else:
        machine.finds(made, FILES)
    steps = bucket.steps
    look(folder, url, machine)
    return steps > step

"""Runs the reader as the host does: what `read_call` names goes into a store, and a worker process reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlpipe.data import read_call
from dlpipe.pipeline.store import Store
from tests.serving import Serve, serving


@dataclass(frozen=True)
class Answer:
    """`event`: the worker's last; `out`: its output folder."""

    event: dict[str, Any]
    notes: list[str]
    out: Path

    @property
    def value(self) -> dict[str, Any]:
        assert self.event["event"] == "result", self.event
        return dict(self.event["value"])

    @property
    def refusal(self) -> str:
        assert self.event["event"] == "failed", self.event
        assert self.event["kind"] in ("bad-model", "unsupported"), self.event
        return str(self.event["message"])

    @property
    def labels(self) -> dict[str, Any]:
        return dict(json.loads((self.out / "labels.json").read_text("utf-8")))

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        with np.load(self.out / "samples.npz", allow_pickle=False) as stored:
            return dict(stored)


Read = Callable[..., Answer]


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    with serving(tmp_path_factory.mktemp("code")) as ask:
        yield ask


@pytest.fixture
def read(tmp_path: Path, serve: Serve) -> Read:
    """read(path, limit=..., seed=...) -> Answer"""
    store = Store(tmp_path / "store")
    count = 0

    def run(spec: Path, **options: Any) -> Answer:
        nonlocal count
        count += 1
        files, call = read_call(str(spec), **options)
        data, out = tmp_path / f"data-{count}", tmp_path / f"out-{count}"
        out.mkdir()
        store.checkout(store.ingest_files(files).digest, data, link=True)
        events = serve(call, {"data": data}, out)
        return Answer(events[-1], [event["message"] for event in events if event["event"] == "note"], out)

    return run

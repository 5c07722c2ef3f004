"""One operation after the other, each answered from dlpipe's store where it has been done before."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dlpipe.contracts.call import Call
from dlpipe.ir import GRAPH
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.toolchains.registry import Registry

BENCHMARKS = Path(__file__).resolve().parents[1]


class Done(NamedTuple):
    """What an operation returned, the digest of the folder it made, and how long it took when it was computed."""

    value: Any
    tree: str
    seconds: float


class Workshop:
    def __init__(self, session: Session) -> None:
        self.session = session
        session.toolchains.registry = Registry([BENCHMARKS])
        self._numbers = itertools.count(1)

    def take(self, files: Mapping[str, Path]) -> str:
        """The user's files as a folder of the store; returns its digest."""
        return self.session.store.ingest_files(files).digest

    def run(self, call: Call, **inputs: str) -> Done:
        """inputs: name -> digest of a folder. Raises what the operation raised."""
        stage = Stage(
            f"{call.operation}-{next(self._numbers)}",
            "measure",
            call,
            {name: f"tree:{tree}" for name, tree in inputs.items()},
        )
        outcome = self.session.executor.run([stage])[stage.id]
        assert outcome.record is not None  # a stage that fails raises
        return Done(outcome.value, outcome.record.output or "", outcome.record.seconds)

    def judge(self, operation: str, /, params: Mapping[str, Any] | None = None, **inputs: str) -> Done:
        """An operation of judge/worker.py."""
        call = Call("judge", BENCHMARKS / "judge" / "worker.py", operation, params or {}, stage_class="hardware")
        return self.run(call, **inputs)

    def onnx(self, operation: str, /, **inputs: str) -> Done:
        """An operation of onnx_files/worker.py."""
        call = Call("core", BENCHMARKS / "onnx_files" / "worker.py", operation, libraries=GRAPH)
        return self.run(call, **inputs)

"""A stage is a pure function: (parameters, input digests, toolchain digest, code version) -> output folder, value."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from dlpipe.contracts.call import Call
from dlpipe.contracts.json import digest
from dlpipe.errors import DlpipeError
from dlpipe.pipeline.store import Record

Kind = Literal["source", "import", "data", "pass", "compile", "package", "run", "measure", "timing"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One node of the DAG.

    `inputs` maps the name under which the worker sees a folder to the id of the stage that made it, or to
    `tree:<digest>` for a folder that is already in the store. A stage that is not `required` may fail without
    ending the run: what depends on it is skipped, with the reason.
    """

    id: str
    kind: Kind
    call: Call
    inputs: Mapping[str, str] = field(default_factory=dict)
    required: bool = True

    def depends_on(self) -> set[str]:
        return {ref for ref in self.inputs.values() if not ref.startswith("tree:")}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a stage in this run. `faults`: nodes of a cluster that failed it, before it was computed."""

    stage: Stage
    status: Literal["ok", "failed", "skipped"]
    cache: Literal["hit", "miss"]
    key: str | None = None
    record: Record | None = None
    error: DlpipeError | None = None
    reason: str | None = None
    faults: tuple[str, ...] = ()

    @property
    def output(self) -> str:
        """Digest of the output folder. Only for a stage that is ok and made one."""
        if self.record is None or self.record.output is None:
            raise LookupError(f"stage {self.stage.id} has no output")
        return self.record.output

    @property
    def value(self) -> Any:
        return self.record.value if self.record else None


class Digests(Protocol):
    """Where the digest of a toolchain comes from: known before anything is installed."""

    def digest(self, name: str) -> str: ...


def key_parts(stage: Stage, inputs: Mapping[str, str], toolchains: Digests) -> dict[str, Any]:
    """Exactly what a stage's cache key is taken over, kept in its record so that `explain` can compare."""
    call = stage.call
    return {
        "worker": call.worker.parent.name + "/" + call.worker.name,
        "operation": call.operation,
        "params": dict(call.params),
        "inputs": dict(inputs),
        "toolchain": {call.toolchain: toolchains.digest(call.toolchain)},
        "resources": {name: toolchains.digest(name) for name in call.resources},
        "code": code_version(call.worker, call.libraries),
        **({"board": call.board} if call.board else {}),
    }


def cache_key(parts: Mapping[str, Any]) -> str:
    return digest(parts)


@functools.lru_cache(maxsize=64)
def code_version(worker: Path, libraries: tuple[Path, ...] = ()) -> str:
    """SHA-256 over every file that could change what this worker does: its folder's, its libraries', the runtime's."""
    runtime = Path(__file__).parent.parent / "toolchains" / "runtime" / "dlpipe_worker.py"
    files = {runtime.name: runtime}
    for folder in (worker.parent, *libraries):
        above = folder if folder == worker.parent else folder.parent
        found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        files.update({path.relative_to(above).as_posix(): path for path in sorted(found)})
    total = hashlib.sha256()
    for name, path in files.items():
        if name.endswith(("toolchain.toml", "toolchain.lock")):
            continue  # the toolchain's own digest speaks for these
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()

"""One operation of a worker: what a frontend, pass, backend or metric hands to the pipeline to be executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

StageClass = Literal["deterministic", "hardware", "sampled"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may use while it serves one call. Sizes in bytes, times in seconds."""

    memory: int = 12 << 30
    processes: int = 512
    file_size: int = 16 << 30
    cpu_seconds: int = 7200
    wall_seconds: int = 3600


@dataclass(frozen=True, slots=True)
class Call:
    """A pure function, described: run `operation` of `worker` in `toolchain` with `params`.

    Inputs are bound by the caller: a mapping from input name to a *folder* that the worker sees read-only.
    The output is a folder (the worker's `request.out`) and a JSON value (what the operation returns).
    `resources` are names of further toolchains (an emulator, a foreign root) mounted read-only beside it;
    the worker finds them in `request.resources[name]`. `libraries` are folders whose code it imports as if they lay
    beside its own (`from ..kit import emit`); it sees no other code of dlpipe. `board` is the address of an agent
    that executes params["guest"] of params["code"] in place of a worker here. All of this is part of the cache key.

    `fresh` asks for a process that has served no call before, for a tool whose result depends on what its process has
    done. `fresh`, `stage_class` and `limits` say how it is executed and are not part of the key.
    """

    toolchain: str
    worker: Path
    operation: str
    params: Mapping[str, Any] = field(default_factory=dict)
    resources: tuple[str, ...] = ()
    libraries: tuple[Path, ...] = ()
    board: str | None = None
    fresh: bool = False
    stage_class: StageClass = "deterministic"
    limits: Limits = field(default_factory=Limits)

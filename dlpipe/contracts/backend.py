"""What a room under `targets/` provides, and the hardware it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from dlpipe.contracts.call import Call


@dataclass(frozen=True, slots=True)
class Target:
    """One `targets/*.toml`: hardware as data."""

    name: str
    summary: str
    arch: str  # as `uname -m` says it: x86_64, aarch64, armv7l, riscv64
    triple: str
    abi: str
    isa: tuple[str, ...]
    runner: Literal["native", "qemu-user", "none"]
    emulator_cpu: str | None = None
    root: str | None = None  # name of the toolchain resource that holds the foreign root
    backends: tuple[str, ...] = ()  # the default choice, best first
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # per backend, and "quantisation"
    notes: tuple[str, ...] = ()  # what is known of it, with sources


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a backend cannot take a model on a target, by node where one is to blame."""

    reason: str
    node: str | None = None
    op: str | None = None
    hint: str | None = None


@runtime_checkable
class Backend(Protocol):
    """- compile_call: ir (+ samples where the backend calibrates) -> the deployable files
    - run_call: artifact, samples -> `outputs.npz`, executed on (or in emulation of) the target
    """

    name: str
    summary: str

    def variants(self, target: Target) -> tuple[str, ...]: ...

    def ir_variant(self, variant: str) -> str:
        """The precision of the IR it is compiled from: fp32, fp16 or int8. A backend may lower it further itself."""

    def lowering(self, model: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of exact passes that this backend wants applied to the IR before it compiles it, in order.
        `model` is what the describe operation says of the IR; `refusals` and `compile_call` get the lowered one."""

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]: ...

    def compile_call(self, target: Target, variant: str) -> Call: ...

    def run_call(self, target: Target, variant: str) -> Call | None: ...

    def timing_call(self, target: Target, variant: str) -> Call | None: ...

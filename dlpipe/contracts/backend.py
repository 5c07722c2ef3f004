"""What a room under `targets/` provides, and the hardware it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

from dlpipe.contracts.call import Call

_SHOWN = 3  # nodes that a sentence names

Kind = Literal["cpu", "gpu", "npu", "fpga", "mcu"]
# How an artefact is executed here: by this machine's processor, under an emulator of the instruction set, in a
# simulator or on a software device of the backend's (its name is in `ran_on`), on hardware that is looked for, or not.
Runner = Literal["native", "qemu-user", "simulator", "device", "none"]


@dataclass(frozen=True, slots=True)
class Target:
    """One `targets/*.toml`: hardware as data."""

    name: str
    summary: str
    arch: str  # of a CPU as `uname -m` says it: x86_64, aarch64, armv7l, riscv64; else the family: cuda, ethos-u, ecp5
    runner: Runner
    kind: Kind = "cpu"
    triple: str = ""  # of a CPU: the compiler's name of the platform
    abi: str = ""
    isa: tuple[str, ...] = ()
    emulator_cpu: str | None = None
    root: str | None = None  # name of the toolchain resource that holds the foreign root
    backends: tuple[str, ...] = ()  # the default choice, best first
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # per backend, and "quantisation"
    notes: tuple[str, ...] = ()  # what is known of it, with sources
    extends: str | None = None  # the target that the fields are of which its file does not give

    def quantised_for(self, backend: str) -> Target:
        """With the integers that this backend wants here: `[options.BACKEND.quantisation]` goes before what is for all,
        `[options.quantisation]`."""
        own = self.options.get(backend, {}).get("quantisation", {})
        wanted = {**self.options.get("quantisation", {}), **own}
        return replace(self, options={**self.options, "quantisation": wanted}) if own else self


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a backend cannot take a model on a target, by node or operator where one is to blame. hint: what would help.
    nodes: all that are meant, which the pipeline looks up where only the operator is named."""

    reason: str
    node: str | None = None
    op: str | None = None
    hint: str | None = None
    nodes: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(self.nodes[:_SHOWN]) + (", ..." if len(self.nodes) > _SHOWN else "")
        where = f" ({len(self.nodes)} nodes: {shown})" if len(self.nodes) > 1 else f" (at {shown})" if shown else ""
        return self.reason + where + (f"; {self.hint}" if self.hint else "")


@dataclass(frozen=True, slots=True)
class Lowering:
    """An exact pass that a backend wants applied to the IR before it compiles it. `label`: with what it is told apart
    from the same pass with other parameters."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        values = [value for given in self.params.values() for value in (given if isinstance(given, list) else [given])]
        return ".".join([self.name, *map(str, values)])


@runtime_checkable
class Backend(Protocol):
    """- compile_call: ir (+ samples where the backend calibrates) -> the deployable files
    - run_call: artifact, samples -> `outputs.npz`, executed on (or in emulation of) the target

    What the operations return. Both: `tool` ("ethos-u-vela 5.2.0"), and `estimates`: what else the tool says of the
    artefact, which becomes part of its `cost` in the report: key -> {value, unit} (`Figure`), a figure "estimated" by
    `tool`, unless `provenance` and `reason` say otherwise (a size read from the machine code is "measured", cycles
    counted in a simulator are "emulated"). What the pipeline measures itself wins over a key of the same name.
    compile: `not_executed`, why the artefact cannot be executed here, where there is more to say than that. run: where
    it ran (`ran_on`: native, qemu-ARCH, vulkan:X, simulator:X, device:X).

    A backend that chooses scales itself has `calibrates`, the variants that it needs `samples` for.

    A backend that compiles to machine code has `machine_code`, patterns of the files that hold it (not of a runtime's
    libraries, which choose their routines when they run): what extensions it needs is read from it, and more than the
    target's `isa` is an error. `source_only`: the architectures for which it writes source code instead.
    """

    name: str
    summary: str

    def variants(self, target: Target) -> tuple[str, ...]: ...

    def ir_variant(self, variant: str) -> str:
        """The precision of the IR it is compiled from: fp32, fp16, int8 or int4. A backend may lower it itself."""

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        """The exact passes that this backend wants applied to the IR before it compiles it, in order. `model` is what
        the describe operation says of the IR; `refusals` and `compile_call` get the lowered one."""

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]: ...

    def compile_call(self, target: Target, variant: str) -> Call: ...

    def run_call(self, target: Target, variant: str) -> Call | None: ...

    def timing_call(self, target: Target, variant: str) -> Call | None: ...

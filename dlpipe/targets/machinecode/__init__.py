"""Which extensions of the instruction set an artefact's own machine code needs, read from the code itself.

A backend that compiles to machine code names the files in `machine_code` (patterns; .so, programs, objects, archives
that hold such). Libraries of a runtime are not among them: those choose their routines when they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlpipe.contracts.backend import Backend, Target
from dlpipe.contracts.call import Call

# What a processor has of whose extensions nothing else is said.
_ALWAYS = {
    "x86_64": ("sse", "sse2"),
    "aarch64": ("fp", "asimd"),
    "armv7l": ("vfp", "vfpv3"),
    "riscv64": (),
}
_IMPLIED = {"vfpv4": ("vfp", "vfpv3"), "rv64gc": ("m", "a", "f", "d", "c"), "v": ("zve64d",)}


def files(backend: Backend, target: Target) -> tuple[str, ...]:
    """The patterns that the backend names, if it compiles to machine code for the target."""
    return () if target.arch in getattr(backend, "source_only", ()) else tuple(getattr(backend, "machine_code", ()))


def isa_call(target: Target, patterns: Sequence[str]) -> Call:
    """Input: `artifact`. Value: {"tool", "isa": [names as in a target's `isa`], "files": {file: {extension: {"count",
    "first"}}}}. Raises Unsupported, with the symbol, where the code needs an extension that the target does not list.
    """
    params = {
        "allowed": sorted(_has(target)) if target.kind == "cpu" else None,
        "arch": target.arch,
        "files": list(patterns),
        "target": target.name,
    }
    return Call("machinecode", Path(__file__).with_name("worker.py"), "isa", params)


def _has(target: Target) -> set[str]:
    named = {*target.isa, *_ALWAYS[target.arch]}
    return named | {each for name in named for each in _IMPLIED.get(name, ())}

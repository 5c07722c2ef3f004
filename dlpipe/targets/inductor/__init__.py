"""PyTorch Inductor, ahead of time: C++ for one processor, compiled, in a .pt2 package that libtorch loads."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.ir import TORCH_MODULE
from dlpipe.targets import KIT, preflight
from dlpipe.targets.lowering import written_out

_HERE = Path(__file__).parent
_TOOLCHAIN = "training"  # the same PyTorch as trains


@dataclass(frozen=True, slots=True)
class _Level:
    """What generated code may use of an x86 processor. `march` as g++ names it; `bits`: how wide Inductor's own vectors
    are, 0 where it has none so narrow: loops are then left to the compiler."""

    march: str
    bits: int


# The widest whose extensions the target names comes first.
_LEVELS = (
    (frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}), _Level("x86-64-v4", 512)),
    (frozenset({"avx2", "fma", "f16c", "bmi2"}), _Level("x86-64-v3", 256)),
    (frozenset({"sse4_2", "ssse3"}), _Level("x86-64-v2", 0)),
    (frozenset({"sse2"}), _Level("x86-64", 0)),
)
_REFUSED = {
    "If": "a program of torch.export has no branches here",
    "Loop": "a program of torch.export has no loops here",
    "Scan": "a program of torch.export has no loops here",
}


@cache
def _compiler() -> str | None:
    """Which g++ this machine has, since another one makes other code: "g++ (Debian 14.2.0-19) 14.2.0". None: it has
    none, which compiling refuses."""
    found = shutil.which("g++")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.partition("\n")[0] or None


class Inductor:
    name = "inductor"
    summary = "PyTorch Inductor: C++ generated and compiled ahead of time, loaded by libtorch"
    machine_code = ("model.pt2",)

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("fp32",)

    def ir_variant(self, variant: str) -> str:
        return variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        return written_out(model)

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        found = []
        if target.triple != "x86_64-linux-gnu":
            found.append(
                Refusal("its compiler here makes code for x86-64 Linux only", hint="--backend executorch, tvm")
            )
        elif target.runner == "none":
            found.append(
                Refusal("Inductor tries the code that it makes: it needs a machine with the target's extensions")
            )
        if variant not in self.variants(target):
            found.append(Refusal(f"no {variant} package is made: Inductor would compute the model's QDQ in fp32"))
        return [*found, *preflight.operators(model, _REFUSED)]

    def compile_call(self, target: Target, variant: str) -> Call:
        level = next((each for needs, each in _LEVELS if needs <= set(target.isa)), _LEVELS[-1][1])
        params = {
            "target": target.name,
            "variant": variant,
            "march": level.march,
            "bits": level.bits,
            "compiler": _compiler(),
        }
        return Call(
            _TOOLCHAIN,
            _HERE / "worker.py",
            "compile",
            params,
            libraries=(KIT, TORCH_MODULE),
            fresh=True,  # behind a timing in the same process torch writes other bytes
            stage_class="hardware",
        )

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "native" or target.arch != "x86_64":
            return None
        return Call(_TOOLCHAIN, _HERE / "execute.py", "run", {"machine": target.arch}, libraries=(KIT,))

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "native" or target.arch != "x86_64":
            return None
        return Call(_TOOLCHAIN, _HERE / "execute.py", "time", {"threads": 1}, libraries=(KIT,), stage_class="hardware")

"""C sources for microcontrollers: the whole model as one C99 file, without a runtime, executed under QEMU's Cortex-M.

Why C of its own and not LiteRT for Microcontrollers: its sources are in no package registry, so nothing built on them
could be compiled and executed here; and TVM's C code needs TVM's runtime headers beside it. What is written here needs
a C compiler and nothing else, keeps the 8-bit levels that were measured, and its RAM and flash are known when it is
compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, TFLITE
from dlpipe.targets.tflite import accepting

_HERE = Path(__file__).parent
_OPTIONS = ("cpu", "flash", "ram")


class CSource:
    name = "c-source"
    summary = "one C99 file for microcontrollers, without a runtime"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("fp32", "int8")

    def ir_variant(self, variant: str) -> str:
        return variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        return accepting.lowering(model)

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        if target.kind != "mcu":
            return [Refusal(f"the C is written for microcontrollers, and {target.name} is none")]
        if missing := [name for name in _OPTIONS if name not in target.options.get(self.name, {})]:
            return [Refusal(f"{target.name} does not say its {', '.join(missing)} in [options.{self.name}]")]
        if variant not in self.variants(target):
            return [Refusal(f"a Cortex-M computes in fp32 and in 8 bits: there is no {variant} for it")]
        flash, parameters = target.options[self.name]["flash"], model.get("parameters") or 0
        size = parameters * (1 if variant == "int8" else 4)
        if size > flash:
            hint = "--precision int8" if variant != "int8" and parameters <= flash else None
            return [Refusal(f"its {parameters:,} weights take {size:,} bytes, and the flash has {flash:,}", hint=hint)]
        return accepting.refusals(model)

    def compile_call(self, target: Target, variant: str) -> Call:
        options = {name: target.options.get(self.name, {}).get(name) for name in _OPTIONS}
        params = {"target": target.name, "variant": variant, **options}
        return Call("c-source", _HERE / "worker.py", "compile", params, libraries=(KIT, TFLITE))

    def run_call(self, target: Target, variant: str) -> Call | None:
        """Under QEMU's model of the processor, with the samples by semihosting."""
        del variant
        if target.runner != "qemu-user" or target.emulator_cpu is None:
            return None
        params = {"cpu": target.options.get(self.name, {}).get("cpu"), "emulated": target.emulator_cpu}
        return Call("c-source", _HERE / "worker.py", "run", params, resources=("qemu-user",), libraries=(KIT, TFLITE))

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del target, variant
        return None

"""Huawei's NPUs: Ascend by CANN's `atc`, Kirin by HiAI's `omg`, which are looked for on this machine.

Written to the manuals' command lines: neither was to be had where dlpipe is tested, so nothing here is verified.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, preflight
from dlpipe.targets.lowering import written_out

_HERE = Path(__file__).parent
_WRITTEN_OUT = ("Attention", "RotaryEmbedding", "RMSNormalization", "Swish")


@dataclass(frozen=True, slots=True)
class _Kit:
    """variable: names the folder it is installed in. home: where else it is looked for. Programs below that folder."""

    name: str
    variable: str
    home: str
    program: str
    how: str


_KITS = {
    "atc": _Kit(
        "Huawei's CANN toolkit",
        "ASCEND_TOOLKIT_HOME",
        "/usr/local/Ascend/ascend-toolkit/latest",
        "bin/atc",
        "install CANN (Ascend-cann-toolkit_*.run --install, from hiascend.com) below /usr/local/Ascend",
    ),
    "omg": _Kit(
        "Huawei's HiAI DDK",
        "HIAI_DDK_HOME",
        "/usr/local/hiai-ddk",
        "tools/tools_omg/omg",
        "unpack the HiAI DDK (from developer.huawei.com) below /usr/local/hiai-ddk",
    ),
}


class Atc:
    name = "atc"
    summary = "Huawei CANN (atc) and HiAI (omg): .om for Ascend and Kirin NPUs; unverified here"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("fp16",)

    def ir_variant(self, variant: str) -> str:
        """Both round fp32 models to fp16 themselves."""
        return "fp32" if variant == "fp16" else variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        return written_out(model, _WRITTEN_OUT)

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        kit = _kit(target)
        if kit is None:
            return [Refusal(f"{target.name} has no Huawei NPU (no tool in its [options.atc])")]
        if variant not in self.variants(target):
            return [Refusal(f"dlpipe makes no {variant} model for it: int8 needs Huawei's own quantiser (AMCT)")]
        if not (_home(kit) / kit.program).is_file():
            hint = f"{kit.how}, and set {kit.variable} where it lies elsewhere below /usr"
            return [Refusal(f"needs {kit.name}: there is no {_home(kit) / kit.program}", hint=hint)]
        return list(preflight.free_dims(model, kit.name))

    def compile_call(self, target: Target, variant: str) -> Call:
        """Raises KeyError for a target that `refusals` names. The tool's version is part of the key."""
        options = target.options["atc"]
        kit = _KITS[options["tool"]]
        params = {
            "target": target.name,
            "variant": variant,
            "tool": options["tool"],
            "soc_version": options.get("soc_version", ""),
            "home": str(_home(kit)),
            "program": kit.program,
            "version": _version(_home(kit)),
        }
        return Call("base", _HERE / "worker.py", "compile", params, libraries=(KIT,), stage_class="hardware")

    def run_call(self, target: Target, variant: str) -> Call | None:
        """On the device only, which is not looked for."""
        del target, variant
        return None

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del target, variant
        return None


def _kit(target: Target) -> _Kit | None:
    return _KITS.get(str(target.options.get("atc", {}).get("tool")))


def _home(kit: _Kit) -> Path:
    return Path(os.environ.get(kit.variable) or kit.home)


def _version(home: Path) -> str:
    """What the toolkit says of itself, so that another one is another stage."""
    for name in ("version.cfg", "version.info", "compiler/version.info"):
        if (home / name).is_file():
            return (home / name).read_text(encoding="utf-8", errors="replace").strip()
    return ""

"""OpenVINO: its own form of a model (IR), for Intel's and other CPUs, Intel's GPUs and NPUs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT
from dlpipe.targets.emulation import emulated_run
from dlpipe.targets.openvino import hardware

_HERE = Path(__file__).parent
_DEVICES = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU"}
_PROCESSORS = ("x86_64", "aarch64")  # that there are packages of its runtime for, under Linux
_VARIANTS = {
    "CPU": ("fp32", "fp16", "bf16", "int8", "int4"),
    "GPU": ("fp32", "fp16", "int8", "int4"),
    "NPU": ("fp16", "int8"),  # which compute no float32
}


class OpenVino:
    name = "openvino"
    summary = "OpenVINO: CPUs, and Intel's GPUs and NPUs"

    def variants(self, target: Target) -> tuple[str, ...]:
        """bf16 is how x86 computes the fp32 file when it is told to; fp16 halves the weights in the file."""
        variants = _VARIANTS.get(_DEVICES.get(target.kind, ""), ())
        return tuple(each for each in variants if each != "bf16" or target.arch == "x86_64")

    def ir_variant(self, variant: str) -> str:
        """It halves the weights itself, and computes in bf16 what the file says in fp32."""
        return "fp32" if variant in ("fp16", "bf16") else variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        del model
        return ()

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        """By target, opset, operator and shape; `model` is what the describe operation says of the IR."""
        return [*_of_target(target, variant, self.variants(target)), *_of_model(model)]

    def compile_call(self, target: Target, variant: str) -> Call:
        """Raises KeyError for a target that `refusals` names."""
        params = {
            "blob": bool(target.options.get(self.name, {}).get("blob", False)),
            "device": _DEVICES[target.kind],
            "precision": _precision(target, variant),
            "target": target.name,
            "variant": variant,
        }
        return Call("openvino", _HERE / "worker.py", "compile", params, libraries=(KIT,))

    def run_call(self, target: Target, variant: str) -> Call | None:
        if target.runner == "qemu-user" and target.arch == "aarch64":
            return emulated_run(target, _HERE / "guest.py", "openvino-aarch64")
        return self._here("run", target, variant, {"machine": target.arch} if target.kind == "cpu" else {})

    def timing_call(self, target: Target, variant: str) -> Call | None:
        return self._here("time", target, variant, {"threads": 1}, stage_class="hardware")

    def _here(self, operation: str, target: Target, variant: str, params: dict[str, Any], **more: Any) -> Call | None:
        """None where this machine has not got what computes it."""
        computes = target.runner == "native" if target.kind == "cpu" else hardware.has(_DEVICES[target.kind])
        if not computes or (variant == "bf16" and not hardware.computes_bf16()):
            return None
        return Call("openvino", _HERE / "worker.py", operation, params, libraries=(KIT,), **more)


def _precision(target: Target, variant: str) -> str:
    """In which floats it shall compute. Left to itself it takes what is fastest, which is bf16 on many processors."""
    if variant == "bf16":
        return "bf16"
    if target.kind == "npu" or (variant == "fp16" and (target.kind == "gpu" or target.arch == "aarch64")):
        return "f16"
    return "f32"


def _of_target(target: Target, variant: str, variants: tuple[str, ...]) -> Iterator[Refusal]:
    if target.kind not in _DEVICES or (target.kind != "cpu" and target.arch != f"intel-{target.kind}"):
        yield Refusal(f"OpenVINO has no plug-in for {target.arch}")
    elif target.kind == "cpu" and (target.arch not in _PROCESSORS or target.abi == "android"):
        yield Refusal(f"there is no package of OpenVINO's runtime for {target.triple}")
    elif variant not in variants:
        yield Refusal(f"OpenVINO has no {variant} on {target.arch}")


def _of_model(model: Mapping[str, Any]) -> Iterator[Refusal]:
    known = _coverage()
    for domain, version in dict(model.get("opsets", {})).items():
        if domain in ("", "ai.onnx") and version > known["opset"]:
            yield Refusal(f"opset {version}, and {known['tool']} ends at {known['opset']}", hint="export it lower")
    for name in sorted(model.get("operators", {})):
        domain, _, op = name.rpartition("::")
        if op not in known["operators"].get("" if domain == "ai.onnx" else domain, ()):
            yield Refusal(f"{known['tool']} does not import {name}", op=name)
    for node in model.get("nodes", ()):
        yield from _of_node(node)


def _of_node(node: Mapping[str, Any]) -> Iterator[Refusal]:
    attributes = node.get("attributes", {})
    if node["op"] == "DequantizeLinear" and (block := attributes.get("block_size", 0)):
        shape, axis = node["inputs"][0]["shape"] or (), attributes.get("axis", 1)
        if -len(shape) <= axis < len(shape) and isinstance(shape[axis], int) and shape[axis] % block:
            yield Refusal(
                f"OpenVINO takes no blocks of {block} in {shape[axis]} weights",
                node=node["name"],
                op=node["op"],
                hint=f"--recipe FILE.toml whose params.block divides {shape[axis]}",
            )


@cache
def _coverage() -> Any:
    return json.loads((_HERE / "operators.json").read_text(encoding="utf-8"))

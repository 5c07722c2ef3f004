"""PaddlePaddle: an inference model (model.json and model.pdiparams), from ONNX by x2paddle, for Paddle Inference.

- x2paddle reads operator sets up to 15, and is truest to set 11: the model is lowered to it. Floats only.
- What it was seen to get wrong without a word is refused: maxima over unevenly padded windows, and softmaxes over more
  than the last axis.
- Phones run Paddle Lite, whose .nb files only its own tool `opt` writes. That is on no package registry, so
  `android-arm64` is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, preflight
from dlpipe.targets.lowering import written_out

_HERE = Path(__file__).parent
_WORKER = _HERE / "worker.py"
_TOOLCHAIN = "paddle-inference"
_OPSET = 11
_WRITTEN_OUT = ("Attention", "Gelu", "LayerNormalization", "RMSNormalization", "RotaryEmbedding", "Swish")
_PRECISIONS = ("fp32",)


class Paddle:
    name = "paddle"
    summary = "Paddle Inference on the CPU, converted by x2paddle"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return _PRECISIONS

    def ir_variant(self, variant: str) -> str:
        return variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        steps = written_out(model, _WRITTEN_OUT)
        if (model.get("opset") or 0) > _OPSET and not {"QuantizeLinear", "DequantizeLinear"} & set(model["operators"]):
            return (*steps, Lowering("opset", {"version": _OPSET}))
        return steps

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        """By target, operator and node; `model` is what the describe operation says of the lowered IR."""
        found = []
        if target.abi == "android":
            found.append(
                Refusal(
                    "phones run Paddle Lite, and its tool `opt`, which writes .nb files, is on no package registry",
                    hint="needs Paddle Lite's opt (paddle_lite_opt)",
                )
            )
        if variant not in _PRECISIONS:
            found.append(Refusal(f"x2paddle converts floats only, not {variant}"))
        known = _coverage()
        found += preflight.unknown_operators(model, known["operators"], known["tool"] + " does not convert {}")
        for node in model.get("nodes", ()):
            if why := _wrong(node):
                found.append(Refusal(f"x2paddle gets it wrong: {why}", node=node["name"] or None, op=node["op"]))
        return found

    def compile_call(self, target: Target, variant: str) -> Call:
        params = {"target": target.name, "arch": target.arch, "variant": variant}
        return Call(_TOOLCHAIN, _WORKER, "compile", params, libraries=(KIT,))

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "native" or target.arch != "x86_64":
            return None
        return Call(_TOOLCHAIN, _WORKER, "run", {"machine": target.arch}, libraries=(KIT,))

    def timing_call(self, target: Target, variant: str) -> Call | None:
        if self.run_call(target, variant) is None:
            return None
        return Call(_TOOLCHAIN, _WORKER, "time", {"threads": 1}, libraries=(KIT,), stage_class="hardware")


def _wrong(node: Mapping[str, Any]) -> str | None:
    """What was seen to come out wrong, in silence. (Padded averages and LRN, which its Caffe reader gets wrong, are
    right from ONNX.)"""
    given = node.get("attributes", {})
    pads = list(given.get("pads", ()))
    if node["op"] == "MaxPool" and pads[: len(pads) // 2] != pads[len(pads) // 2 :]:
        return "a maximum over a window that is padded unevenly"
    shape = node["inputs"][0]["shape"] if node.get("inputs") else None
    if node["op"] in ("Softmax", "LogSoftmax") and shape and given.get("axis", 1) not in (-1, len(shape) - 1):
        return f"a {node['op']} over more than the last axis"
    return None


@cache
def _coverage() -> Any:
    return json.loads((_HERE / "operators.json").read_text(encoding="utf-8"))

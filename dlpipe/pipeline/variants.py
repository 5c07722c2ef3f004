"""The precisions: each an IR of its own, made from the optimised one and checked like any stage."""

from __future__ import annotations

from collections.abc import Iterable

from dlpipe.contracts.backend import Target
from dlpipe.passes.registry import pass_call
from dlpipe.pipeline.checks import check_ir
from dlpipe.pipeline.samples import Samples
from dlpipe.pipeline.stage import Stage

PASS_OF = {"fp16": "fp16", "int8": "quantize-int8"}


def make_variants(
    variants: Iterable[str], samples: Samples, *, ir: str, target: Target
) -> tuple[dict[str, str], list[Stage]]:
    """Returns (variant -> id of the stage that holds its IR, the stages to execute)."""
    made = {"fp32": ir}
    stages: list[Stage] = []
    for variant in sorted(set(variants) - {"fp32"}):
        params = dict(target.options.get("quantisation", {})) if variant == "int8" else {}
        inputs = {"ir": ir, "samples": samples.calibration} if variant == "int8" else {"ir": ir}
        stage = Stage(
            variant_id(variant, params), "pass", pass_call(PASS_OF[variant], **params), inputs, required=False
        )
        made[variant] = stage.id
        stages += [stage, *check_ir(stage.id, variant, samples)]
    return made, stages


def variant_id(variant: str, params: dict[str, object]) -> str:
    """`fp16`, or `int8-s8s8` for signed activations and weights: two targets may want different ones."""
    if variant != "int8":
        return variant
    short = {"int8": "s8", "uint8": "u8"}
    return f"int8-{short[str(params.get('activations', 'uint8'))]}{short[str(params.get('weights', 'int8'))]}"

"""Integers in place of floats (`quantisation/`)."""

from dlpipe.contracts.passes import PassInfo

_WEIGHTS = {
    "bits": 4,
    "block": 32,
    "symmetric": False,
    "method": "hqq",
    "operators": ["MatMul", "Gemm", "Gather"],
    "keep": [],
}

PASSES = (
    PassInfo("equalize", "ranges of weights made equal across layers (cross-layer equalisation)", exact=True),
    PassInfo(
        "smooth-quant",
        "outliers moved from activations into the weights behind them",
        exact=True,
        needs=("samples",),
        defaults={"strength": 0.5},
    ),
    PassInfo(
        "quantize-int8",
        "static int8 (QDQ): weights per channel, activations calibrated on samples",
        exact=False,
        needs=("samples",),
        defaults={
            "activations": "uint8",
            "weights": "int8",
            "per_channel": True,
            "symmetric": False,
            "zero_points": True,
            "method": "auto",
            "percentile": 99.99,
            "smooth": True,
            "correct_bias": True,
            "whole": False,
            "keep": [],
            "only": [],
        },
    ),
    PassInfo(
        "quantize-weights",
        "weights of matrix products in 4 or 8 bits, with a scale for each block; no data needed",
        exact=False,
        defaults=_WEIGHTS,
    ),
    PassInfo(
        "quantize-weights-gptq",
        "the same, rounded by GPTQ on samples",
        exact=False,
        needs=("samples",),
        defaults=_WEIGHTS,
    ),
    PassInfo(
        "quantize-weights-mixed",
        "4-bit weights by GPTQ, 8-bit ones for the fewest layers that need them, measured on samples",
        exact=False,
        needs=("samples",),
        defaults={
            **{key: value for key, value in _WEIGHTS.items() if key != "bits"},
            "sqnr_db": 35.0,
            "cosine": 0.0,
            "agreement": 0.0,
            "kl": 0.0,
            "order": "guessed",
        },
    ),
    PassInfo(
        "quantize-dynamic",
        "matrix products in int8, activations quantised as they come: for transformers; no data needed",
        exact=False,
        defaults={"weights": "int8", "operators": ["MatMul", "Gemm", "Gather"], "keep": []},
    ),
)

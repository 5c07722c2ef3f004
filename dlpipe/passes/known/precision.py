"""Floats of fewer bits (`precision/`)."""

from dlpipe.contracts.passes import PassInfo

PASSES = (
    PassInfo(
        "fp16",
        "half precision inside, float32 at the inputs and outputs",
        exact=False,
        defaults={"keep": []},
    ),
    PassInfo(
        "bf16",
        "bfloat16 inside, float32 at the inputs and outputs",
        exact=False,
        defaults={"keep": []},
    ),
    PassInfo(
        "mixed-precision",
        "fp16 (or bf16) with the smallest islands of float32 that keep the outputs within a limit, measured on samples",
        exact=False,
        needs=("samples",),
        defaults={"format": "fp16", "sqnr_db": 40.0, "cosine": 0.0, "agreement": 0.0, "kl": 0.0, "keep": []},
    ),
)

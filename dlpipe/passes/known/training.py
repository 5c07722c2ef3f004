"""Weights that are trained (`training/`)."""

from dlpipe.contracts.passes import PassInfo

TRAINING = {
    "epochs": 5,
    "steps": 0,
    "minutes": 0,
    "batch": 64,
    "optimizer": "adamw",
    "rate": 1e-3,
    "weight_decay": 1e-4,
    "warmup": 0.05,
    "seed": 0,
    "holdout": 0.1,
    "patience": 0,
    "task": "auto",
    "hard": 0.3,
    "soft": 0.7,
    "temperature": 3.0,
    "features": "auto",
    "feature_weight": 0.0,
    "attention_weight": 0.0,
    "augment": [],
    "freeze": [],
    "keep_zeros": False,
    "norm": "auto",
    "device": "auto",
    "processes": 0,
    "parts": 5,
}

PASSES = (
    PassInfo(
        "fine-tune",
        "weights trained on the user's data, with the original as teacher",
        exact=False,
        needs=("train", "teacher"),
        defaults=TRAINING,
        in_parts=True,
    ),
    PassInfo(
        "qat",
        "a quantised model's weights and scales trained through its rounding, the float original as teacher",
        exact=False,
        needs=("train", "teacher"),
        defaults={**TRAINING, "epochs": 2, "rate": 1e-4, "weight_decay": 0.0},
        in_parts=True,
    ),
    PassInfo(
        "adaround",
        "a quantised model's weights rounded up or down by what each layer puts out",
        exact=False,
        needs=("train", "teacher"),
        defaults={"samples": 512, "steps": 1000, "batch": 32, "rate": 1e-2, "push": 0.01, "seed": 0},
    ),
)

"""Fewer channels, and weights that are zero (`pruning/`, and those that need gradients in `training/`)."""

from dlpipe.contracts.passes import PassInfo
from dlpipe.passes.known.training import TRAINING

_CHANNELS = {"macs": 0.5, "width": 0.0, "multiple": 8, "least": 8, "exclude": []}
# They train in one process, and in one go.
_ALONE = {name: value for name, value in TRAINING.items() if name not in ("parts", "processes")}
_WEIGHTS = {"sparsity": 0.5, "scope": "global", "pattern": "", "exclude": []}

PASSES = (
    PassInfo(
        "prune-channels",
        "whole channels go, the least important first; the shapes shrink",
        exact=False,
        defaults={**_CHANNELS, "criterion": "l2"},
    ),
    PassInfo(
        "prune-weights",
        "the smallest weights become zero: smaller when compressed, not faster",
        exact=False,
        defaults=_WEIGHTS,
    ),
)

TRAINED = (
    PassInfo(
        "prune-channels-by-data",
        "as prune-channels; which channels matter is asked of gradients or activations",
        exact=False,
        needs=("train", "teacher"),
        defaults={**_ALONE, **_CHANNELS, "criterion": "taylor", "batches": 50},
    ),
    PassInfo(
        "sparsify",
        "as prune-weights, little by little while the others are trained",
        exact=False,
        needs=("train", "teacher"),
        defaults={**_ALONE, **_WEIGHTS, "until": 0.5},
    ),
)

"""The passes that train, by name."""

from collections.abc import Callable
from pathlib import Path

from ..graph.infra import GraphPass
from . import preparing, qat
from .adaround import AdaRound
from .fine_tune import FineTune
from .prune_by_data import PruneChannelsByData
from .running import Prepare
from .sparsify import Sparsify

# Each is made with the folder that it writes TensorBoard's files to.
PASSES: dict[str, Callable[[Path], GraphPass]] = {
    "fine-tune": FineTune,
    "qat": qat.QuantizationAwareTraining,
    "adaround": AdaRound,
    "prune-channels-by-data": PruneChannelsByData,
    "sparsify": Sparsify,
}
# Of those that one training loop runs, and that may therefore be done in parts and by a team: how they prepare it.
PREPARES: dict[str, Prepare] = {
    "fine-tune": preparing.prepare,
    "qat": qat.prepare_quantised,
}

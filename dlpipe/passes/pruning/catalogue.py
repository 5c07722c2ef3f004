"""The passes of this folder by name."""

from ..graph.infra import GraphPass
from .prune_channels import PruneChannels
from .prune_weights import PruneWeights

PASSES: dict[str, type[GraphPass]] = {"prune-channels": PruneChannels, "prune-weights": PruneWeights}

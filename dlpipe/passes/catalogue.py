"""All passes that run in the core toolchain, by name: one dict from each folder."""

from .fusions import catalogue as fusions
from .graph import catalogue as exact
from .graph.infra import GraphPass
from .precision import catalogue as precision
from .pruning import catalogue as pruning
from .quantisation import catalogue as quantisation

PASSES: dict[str, type[GraphPass]] = {
    **exact.PASSES,
    **fusions.PASSES,
    **precision.PASSES,
    **pruning.PASSES,
    **quantisation.PASSES,
}

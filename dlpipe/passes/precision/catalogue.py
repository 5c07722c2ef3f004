"""The passes of this folder by name."""

from ..graph.infra import GraphPass
from .brain import BrainFloat
from .half import HalfPrecision
from .mixed import MixedPrecision

PASSES: dict[str, type[GraphPass]] = {
    "fp16": HalfPrecision,
    "bf16": BrainFloat,
    "mixed-precision": MixedPrecision,
}

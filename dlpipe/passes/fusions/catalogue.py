"""The fusions by name."""

from ..graph.infra import GraphPass
from .activations import FuseActivations
from .attention import FuseAttention
from .decompose import Decompose
from .gelu import FuseGelu
from .norms import FuseNorms
from .rotary import FuseRotary

PASSES: dict[str, type[GraphPass]] = {
    "fuse-activations": FuseActivations,
    "fuse-gelu": FuseGelu,
    "fuse-norms": FuseNorms,
    "fuse-rotary": FuseRotary,
    "fuse-attention": FuseAttention,
    "decompose": Decompose,
}

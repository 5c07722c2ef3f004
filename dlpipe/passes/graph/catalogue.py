"""The passes by name."""

from .clean import Clean
from .fold_affine import FoldBatchNorm
from .fold_constants import FoldConstants
from .fuse import Fuse
from .half import HalfPrecision
from .infra import GraphPass
from .layout import Layout
from .quantize import QuantizeInt8
from .simplify import Simplify
from .unroll import Unroll

PASSES: dict[str, type[GraphPass]] = {
    "simplify": Simplify,
    "fold-constants": FoldConstants,
    "fold-batchnorm": FoldBatchNorm,
    "fuse": Fuse,
    "layout": Layout,
    "clean": Clean,
    "unroll": Unroll,
    "fp16": HalfPrecision,
    "quantize-int8": QuantizeInt8,
}

"""The exact passes by name."""

from .clean import Clean
from .dead_code import DeadCode
from .dedupe_weights import DeduplicateWeights
from .extract import Extract
from .fold_affine import FoldBatchNorm
from .fold_before import FoldBefore
from .fold_constants import FoldConstants
from .fuse import Fuse
from .identities import Identities
from .infra import GraphPass
from .layout import Layout
from .merge_linear import MergeLinear
from .opset import Opset
from .reshapes import Reshapes
from .simplify import Simplify
from .specialise import Specialise
from .subexpressions import CommonSubexpressions
from .unroll import Unroll

PASSES: dict[str, type[GraphPass]] = {
    "simplify": Simplify,
    "fold-constants": FoldConstants,
    "fold-batchnorm": FoldBatchNorm,
    "fold-before": FoldBefore,
    "merge-linear": MergeLinear,
    "fuse": Fuse,
    "reshapes": Reshapes,
    "layout": Layout,
    "identities": Identities,
    "subexpressions": CommonSubexpressions,
    "dedupe-weights": DeduplicateWeights,
    "dead-code": DeadCode,
    "clean": Clean,
    "unroll": Unroll,
    "opset": Opset,
    "specialise": Specialise,
    "extract": Extract,
}

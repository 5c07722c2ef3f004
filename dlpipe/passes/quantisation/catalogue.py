"""The passes of this folder by name."""

from ..graph.infra import GraphPass
from .dynamic import QuantizeDynamic
from .equalize import Equalize
from .quantize import QuantizeInt8
from .smooth_quant import SmoothQuant
from .weight_mixed import QuantizeWeightsMixed
from .weight_only import QuantizeWeights, QuantizeWeightsGptq

PASSES: dict[str, type[GraphPass]] = {
    "equalize": Equalize,
    "smooth-quant": SmoothQuant,
    "quantize-int8": QuantizeInt8,
    "quantize-dynamic": QuantizeDynamic,
    "quantize-weights": QuantizeWeights,
    "quantize-weights-gptq": QuantizeWeightsGptq,
    "quantize-weights-mixed": QuantizeWeightsMixed,
}

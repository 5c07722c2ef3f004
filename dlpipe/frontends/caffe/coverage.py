"""What of Caffe's layers this converter takes, held against the list of the public layer catalogue."""

from __future__ import annotations

from typing import Any

from . import layers  # noqa: F401 - it registers the handlers
from .boundary import DATA, LOSSES
from .step import HANDLERS, LIMITS

# https://caffe.berkeleyvision.org/tutorial/layers.html and the layer sources of BVLC Caffe 1.0, then the forks'.
BVLC = [
    "AbsVal",
    "Accuracy",
    "ArgMax",
    "BNLL",
    "BatchNorm",
    "BatchReindex",
    "Bias",
    "Clip",
    "Concat",
    "ContrastiveLoss",
    "Convolution",
    "Crop",
    "Data",
    "Deconvolution",
    "Dropout",
    "DummyData",
    "ELU",
    "Eltwise",
    "Embed",
    "EuclideanLoss",
    "Exp",
    "Filter",
    "Flatten",
    "HDF5Data",
    "HDF5Output",
    "HingeLoss",
    "Im2col",
    "ImageData",
    "InfogainLoss",
    "InnerProduct",
    "Input",
    "LRN",
    "LSTM",
    "Log",
    "MVN",
    "MemoryData",
    "MultinomialLogisticLoss",
    "PReLU",
    "Parameter",
    "Pooling",
    "Power",
    "Python",
    "RNN",
    "ReLU",
    "Reduction",
    "Reshape",
    "SPP",
    "Scale",
    "Sigmoid",
    "SigmoidCrossEntropyLoss",
    "Silence",
    "Slice",
    "Softmax",
    "SoftmaxWithLoss",
    "Split",
    "Swish",
    "TanH",
    "Threshold",
    "Tile",
    "WindowData",
]
FORKS = [
    "AnnotatedData",
    "Axpy",
    "ConvolutionDepthwise",
    "DepthwiseConvolution",
    "DetectionEvaluate",
    "DetectionOutput",
    "Interp",
    "MultiBoxLoss",
    "Normalize",
    "PSROIPooling",
    "Permute",
    "PriorBox",
    "Proposal",
    "ROIPooling",
    "ReLU6",
    "ShuffleChannel",
    "SmoothL1Loss",
    "Upsample",
]
_REASONS = {
    "Filter": "the size of its result depends on the data",
    "Im2col": "the inside of a convolution",
    "Python": "its code is not in the file",
    "Proposal": "the size of its result depends on the data",
    "PSROIPooling": "ONNX has no such operator",
}


def coverage() -> dict[str, Any]:
    """See contracts/frontend.py."""
    found: dict[str, dict[str, Any]] = {}
    for name in sorted({*BVLC, *FORKS, *HANDLERS}):
        if name in HANDLERS:
            found[name] = {"support": "partial" if name in LIMITS else "full", "note": LIMITS.get(name)}
        elif name == "Input" or name in DATA:
            found[name] = {"support": "full", "note": "an input of the model"}
        elif name in LOSSES:
            found[name] = {"support": "full", "note": "training only: left out"}
        else:
            found[name] = {"support": "none", "note": _REASONS.get(name)}
    return {"operators": found, "source": "the layers of BVLC Caffe 1.0, of SSD and of other forks in common use"}

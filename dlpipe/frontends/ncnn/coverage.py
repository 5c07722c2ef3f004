"""What of ncnn's layers this converter takes, held against the layer types that ncnn itself is built with."""

from __future__ import annotations

from typing import Any

from .layers import load_handlers
from .step import HANDLERS, LIMITS

# src/CMakeLists.txt of ncnn's public sources.
_TYPES = """
AbsVal ArgMax BatchNorm Bias BinaryOp BNLL CELU Cast Clip Concat Convolution Convolution1D Convolution3D
ConvolutionDepthWise ConvolutionDepthWise1D ConvolutionDepthWise3D CopyTo Crop CumulativeSum Deconvolution
Deconvolution1D Deconvolution3D DeconvolutionDepthWise DeconvolutionDepthWise1D DeconvolutionDepthWise3D
DeformableConv2D Dequantize DetectionOutput Diag Dropout ELU Einsum Eltwise Embed Erf Exp ExpandDims Flatten Fold GELU
GLU GRU Gemm GridSample GroupNorm HardSigmoid HardSwish InnerProduct Input InstanceNorm Interp InverseSpectrogram LRN
LSTM LayerNorm Log MVN MatMul MemoryData Mish MultiHeadAttention Noop Normalize PReLU PSROIPooling Packing Padding
Permute PixelShuffle Pooling Pooling1D Pooling3D Power PriorBox Proposal Quantize RMSNorm RNN ROIAlign ROIPooling ReLU
Reduction Reorg Requantize Reshape SELU SPP Scale Sigmoid ShuffleChannel Shrink Slice Softmax Softplus Spectrogram Split
Squeeze StatisticsPooling Swish TanH Threshold Tile UnaryOp Unfold YoloDetectionOutput Yolov3DetectionOutput
"""
KNOWN = _TYPES.split()


def coverage() -> dict[str, Any]:
    """See contracts/frontend.py."""
    load_handlers()
    found: dict[str, Any] = {}
    for name in sorted({*KNOWN, *HANDLERS, "Input"}):
        taken = name in HANDLERS or name == "Input"
        support = "none" if not taken else "partial" if name in LIMITS else "full"
        found[name] = {"support": support, "note": LIMITS.get(name)}
    return {"operators": found, "source": "the layer types of Tencent/ncnn"}

"""What of MNN's public schema (MNN.fbs and what it includes) an importer needs, as tables."""

from __future__ import annotations

_OPERATORS = """
AbsVal QuantizedAdd ArgMax AsString InstanceNorm BatchToSpaceND Bias BinaryOp Bnll Cast Concat Const Convolution
ConvolutionDepthwise Crop CropAndResize Cubic Deconvolution DeconvolutionDepthwise Dequantize DetectionOutput Dropout
Eltwise ELU Unique Exp ExpandDims Fill Flatten FloorMod Gather GatherV2 Im2Seq InnerProduct Input Interp Log LRN LSTM
MatMul MVN NonMaxSuppression NonMaxSuppressionV2 Normalize Pack Padding Permute Pooling Power PReLU PriorBox Proposal
QuantizedAvgPool QuantizedBiasAdd QuantizedConcat QuantizedDepthwiseConv2D QuantizedLogistic QuantizedMatMul
QuantizedMaxPool QuantizedRelu QuantizedRelu6 QuantizedReshape QuantizedSoftmax QuantizeMaxMin QuantizeV2 Range Rank
ReduceJoin Reduction ReLU ReLU6 RequantizationRange Requantize Reshape Resize RNN ROIPooling Scale Selu Seq2Out Shape
Sigmoid Size Slice SliceTf Softmax SpaceToBatchND SpatialProduct Split Segment Squeeze StridedSlice StringJoin
StringSplit StringToNumber TanH TfQuantizedConv2D Threshold Tile TopKV2 Transpose UnaryOp Unpack Where Moments
RNNSequenceGRU BatchMatMul Unsqueeze CosineSimilarity DepthToSpace SpaceToDepth ReverseSequence Pooling3D Convolution3D
MatrixBandPart GatherND DetectionPostProcess UnravelIndex ScatterNd OneHot BroadcastTo Dilation2D
"""
_MORE = {
    128: "Raster", 129: "ConvertTensor", 130: "ArgMin", 131: "LinSpace", 132: "RandomUniform", 133: "TensorArray",
    134: "TensorArraySize", 135: "TensorArrayRead", 136: "TensorArrayWrite", 137: "TensorArrayGather",
    138: "TensorArrayScatter", 139: "TensorArraySplit", 140: "TensorArrayConcat", 141: "LSTMBlockCell", 142: "Reverse",
    143: "ROIAlign", 256: "Plugin", 257: "Select", 258: "ZerosLike", 267: "BatchNorm", 512: "Extra", 513: "ConvInt8",
    514: "Int8ToFloat", 515: "DepthwiseConvInt8", 516: "PoolInt8", 517: "FloatToInt8", 518: "EltwiseInt8", 600: "While",
    601: "If", 603: "LayerNorm", 604: "GridSample",
}  # fmt: skip
OPERATORS = {**dict(enumerate(_OPERATORS.split())), **_MORE}  # by number, as in the enum OpType

# The numbers of the union OpParameter.
PARAMETERS = {
    "ArgMax": 2, "Axis": 4, "BatchNorm": 5, "BinaryOp": 6, "Blob": 7, "CastParam": 8, "Convolution2D": 9, "Crop": 10,
    "Eltwise": 14, "ExpandDims": 15, "Flatten": 17, "Gather": 18, "GatherV2": 19, "InnerProduct": 20, "Input": 21,
    "Interp": 22, "LRN": 23, "MatMul": 25, "Normalize": 27, "PackParam": 28, "Permute": 29, "Pool": 31, "PRelu": 32,
    "ReductionParam": 50, "Relu": 51, "Relu6": 52, "Reshape": 55, "Resize": 56, "Scale": 58, "Selu": 59, "Slice": 61,
    "SliceTf": 62, "SqueezeParam": 64, "StridedSliceParam": 65, "TensorConvertInfo": 66, "Transpose": 69,
    "UnaryOp": 70, "BatchMatMulParam": 73, "QuantizedFloatParam": 74, "DepthSpaceParam": 75, "EltwiseInt8": 76,
    "Pool3D": 79, "ELU": 81, "PadParam": 84, "LayerNorm": 88,
}  # fmt: skip

NCHW, NHWC, NC4HW4 = 0, 1, 2  # the enum MNN_DATA_FORMAT

# Of the enum DataType: what a number means, and in which slot of a Blob such numbers lie.
TYPES = {1: ("float32", 7), 3: ("int32", 5), 4: ("uint8", 3), 6: ("int8", 4), 9: ("int64", 6), 10: ("bool", 5)}

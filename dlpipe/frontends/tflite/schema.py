"""What of TensorFlow Lite's public schema (schema.fbs, version 3) an importer needs, as tables.

`OPTIONS`: the table of builtin options: name -> (its number in the union, {field: (slot, kind, default)}).
`OPTIONS_OF`: the operators whose options are not named after them.
`SECOND`: the operators whose options are of the second union, which numbers anew.
"""

from __future__ import annotations

from collections.abc import Mapping

_OPERATORS = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM
MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2
GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG
SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT
UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE
MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5
SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO
RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE
RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX
UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD
STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE
STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH
STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE
STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE
STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE
STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""
OPERATORS = _OPERATORS.split()  # by number, as in the enum BuiltinOperator

_TYPES = """
float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64 resource variant uint32
uint16 int4 bfloat16 int2 uint4
"""
TYPES = _TYPES.split()  # by number, as in the enum TensorType

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")

Field = tuple[int, str, float]
_ACTIVATION = {"activation": (0, "int8", 0)}


def _fields(text: str) -> dict[str, Field]:
    """ "padding:int8 stride:int32=1": consecutive slots."""
    found = {}
    for slot, each in enumerate(text.split()):
        name, _, kind = each.partition(":")
        kind, _, default = kind.partition("=")
        found[name] = (slot, kind, float(default or 0))
    return found


OPTIONS: Mapping[str, tuple[int, Mapping[str, Field]]] = {
    "ADD": (11, _fields("activation:int8 pot_scale_int16:bool=1")),
    "SUB": (28, _fields("activation:int8 pot_scale_int16:bool=1")),
    "MUL": (21, _ACTIVATION),
    "DIV": (29, _ACTIVATION),
    "L2_NORMALIZATION": (12, _ACTIVATION),
    "CONV_2D": (
        1,
        _fields(
            "padding:int8 stride_w:int32 stride_h:int32 activation:int8 dilation_w:int32=1 dilation_h:int32=1 bias:int8"
        ),
    ),
    "DEPTHWISE_CONV_2D": (
        2,
        _fields(
            "padding:int8 stride_w:int32 stride_h:int32 multiplier:int32 activation:int8 "
            "dilation_w:int32=1 dilation_h:int32=1"
        ),
    ),
    "TRANSPOSE_CONV": (49, _fields("padding:int8 stride_w:int32 stride_h:int32 activation:int8 bias:int8")),
    "CONV_3D": (
        106,
        _fields(
            "padding:int8 stride_d:int32 stride_w:int32 stride_h:int32 activation:int8 "
            "dilation_d:int32=1 dilation_w:int32=1 dilation_h:int32=1"
        ),
    ),
    "POOL_2D": (5, _fields("padding:int8 stride_w:int32 stride_h:int32 width:int32 height:int32 activation:int8")),
    "FULLY_CONNECTED": (8, _fields("activation:int8 weights_format:int8 keep_num_dims:bool asymmetric:bool bias:int8")),
    "BATCH_MATMUL": (101, _fields("adj_x:bool adj_y:bool asymmetric:bool")),
    "SOFTMAX": (9, _fields("beta:float32")),
    "CONCATENATION": (10, _fields("axis:int32 activation:int8")),
    "LOCAL_RESPONSE_NORMALIZATION": (13, _fields("radius:int32 bias:float32 alpha:float32 beta:float32")),
    "LEAKY_RELU": (75, _fields("alpha:float32")),
    "GELU": (116, _fields("approximate:bool")),
    "LSTM": (14, _fields("activation:int8 cell_clip:float32 proj_clip:float32 kernel_type:int8 asymmetric:bool")),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        71,
        _fields("activation:int8 cell_clip:float32 proj_clip:float32 time_major:bool asymmetric:bool diagonal:bool"),
    ),
    "BIDIRECTIONAL_SEQUENCE_LSTM": (
        69,
        _fields("activation:int8 cell_clip:float32 proj_clip:float32 merge:bool time_major:bool=1 asymmetric:bool"),
    ),
    "RNN": (7, _fields("activation:int8 asymmetric:bool")),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (31, _fields("time_major:bool activation:int8 asymmetric:bool")),
    "SVDF": (6, _fields("rank:int32 activation:int8 asymmetric:bool")),
    "RESIZE_BILINEAR": (15, {"align_corners": (2, "bool", 0), "half_pixel": (3, "bool", 0)}),
    "RESIZE_NEAREST_NEIGHBOR": (74, _fields("align_corners:bool half_pixel:bool")),
    "RESHAPE": (17, _fields("new_shape:ints")),
    "SPACE_TO_DEPTH": (19, _fields("block:int32")),
    "DEPTH_TO_SPACE": (94, _fields("block:int32")),
    "GATHER": (23, _fields("axis:int32 batch_dims:int32")),
    "REDUCE": (27, _fields("keep_dims:bool")),
    "SQUEEZE": (30, _fields("axes:ints")),
    "SPLIT": (35, _fields("count:int32")),
    "SPLIT_V": (79, _fields("count:int32")),
    "STRIDED_SLICE": (
        32,
        _fields(
            "begin_mask:int32 end_mask:int32 ellipsis_mask:int32 new_axis_mask:int32 shrink_mask:int32 offset:bool"
        ),
    ),
    "CAST": (37, _fields("source:int8 target:int8")),
    "ARG_MAX": (40, _fields("type:int8")),
    "ARG_MIN": (57, _fields("type:int8")),
    "SHAPE": (55, _fields("type:int8")),
    "FAKE_QUANT": (58, _fields("min:float32 max:float32 bits:int32 narrow:bool")),
    "PACK": (59, _fields("count:int32 axis:int32")),
    "UNPACK": (64, _fields("count:int32 axis:int32")),
    "ONE_HOT": (61, _fields("axis:int32")),
    "MIRROR_PAD": (77, _fields("mode:int8")),
    "REVERSE_SEQUENCE": (87, _fields("seq_axis:int32 batch_axis:int32")),
    "CUMSUM": (102, _fields("exclusive:bool reverse:bool")),
    "IF": (92, _fields("then:int32 else:int32")),
    "WHILE": (93, _fields("cond:int32 body:int32")),
    "CALL_ONCE": (103, _fields("init:int32")),
    "CALL": (16, _fields("subgraph:uint32")),
    "STABLEHLO_COMPOSITE": (21, {"subgraph": (1, "int32", 0), "version": (4, "int32", 0)}),
    "VAR_HANDLE": (111, _fields("container:text name:text")),
}

_REDUCTIONS = "MEAN SUM REDUCE_PROD REDUCE_MAX REDUCE_MIN REDUCE_ANY REDUCE_ALL"
OPTIONS_OF = {
    **dict.fromkeys(_REDUCTIONS.split(), "REDUCE"),
    **dict.fromkeys(["AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"], "POOL_2D"),
    "CONV_3D_TRANSPOSE": "CONV_3D",
}
SECOND = {"STABLEHLO_COMPOSITE"}

"""CNTK's primitive functions by the number that files hold (PrimitiveOpType), and what converts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .graph import Function
    from .writer import Value, Writer

NAMES = (
    "Negate", "Sigmoid", "Tanh", "ReLU", "Exp", "Log", "Sqrt", "Floor", "Abs", "Reciprocal", "Softmax", "Hardmax",
    "TransposeAxes", "Where", "Slice", "Dropout", "Reshape", "Pooling", "SumAll", "Plus", "Minus", "ElementTimes",
    "Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual", "PackedIndex", "GatherPacked",
    "ScatterPacked", "Times", "TransposeTimes", "Convolution", "SquaredError", "CrossEntropyWithSoftmax",
    "ClassificationError", "PastValue", "FutureValue", "ReduceElements", "BatchNormalization", "Clip", "Select",
    "Splice", "Combine", "RandomSample", "RandomSampleInclusionFrequency", "ROIPooling", "Logistic",
    "OptimizedRNNStack", "ReconcileDynamicAxis", "LogSoftmax", "LogPlus", "CosDistance", "Sin", "Cos", "Pass", "Block",
    "Unpooling", "LambdaRank", "NDCG", "EditDistanceError", "NoOp", "LabelsToGraph", "StopGradient", "ELU",
    "ForwardBackward", "CosDistanceWithNegativeSamples", "OneHot", "Pow", "ToSequence", "ToSequenceLike",
    "UnpackSequence", "Assign", "Gather", "StableSigmoid", "RandomDistribution", "Sinh", "Cosh", "UnpackBatch",
    "ToBatch", "Asin", "Acos", "Pad", "Crop", "Atanh", "Asinh", "TopK", "Squeeze", "ConstantOp",
    "LatticeSequenceWithSoftmax", "Cast", "EyeLike", "CustomProxy", "StraightThrough", "Tan", "Atan",
    "ConvolutionSequenceShape",
)  # fmt: skip

Convert = Callable[["Writer", "Function", "list[Value]"], "Value"]


@dataclass(frozen=True)
class Entry:
    """`note`: what of the function is left out; empty where all of it is converted."""

    convert: Convert
    note: str = ""


OPERATORS: dict[str, Entry] = {}


def converts(*names: str, note: str = "") -> Callable[[Convert], Convert]:
    """Mark a function as the conversion of these primitive functions."""

    def enter(function: Convert) -> Convert:
        for each in names:
            OPERATORS[each] = Entry(function, note)
        return function

    return enter


def name_of(op: int) -> str:
    return NAMES[op] if 0 <= op < len(NAMES) else f"number {op}"

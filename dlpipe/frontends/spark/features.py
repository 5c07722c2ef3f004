"""Stages that make features: each reads columns and puts one. What each computes is on Spark's page "Extracting,
transforming and selecting features" and in the scaladoc of its class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from . import categories, expanding
from .reading import Array, SavedStage, matrix, vector
from .scope import Column, Scope

Handler = Callable[[Scope, SavedStage], None]


def _one(scope: Scope, stage: SavedStage, width: int | None = None) -> Column:
    return scope.number(stage, stage.text("inputCol"), width)


def _affine(scope: Scope, stage: SavedStage, scale: Array | None, offset: Array | None) -> None:
    """x * scale + offset, value by value."""
    width = len(scale if scale is not None else offset if offset is not None else ())
    value = _one(scope, stage, width).value
    if scale is not None:
        value = scope.node("Mul", [value, scope.constant(scale, f"{stage.uid}/scale")], f"{stage.uid}/scaled")
    if offset is not None:
        value = scope.node("Add", [value, scope.constant(offset, f"{stage.uid}/offset")], f"{stage.uid}/moved")
    scope.put(stage.text("outputCol"), value, width)


def _assembler(scope: Scope, stage: SavedStage) -> None:
    names = stage.columns("inputCol", "inputCols")
    columns = [scope.number(stage, name) for name in names]
    value = scope.node("Concat", [each.value for each in columns], stage.uid, axis=1)
    origins = [each.origins or (None,) * each.width for each in columns]
    scope.put(stage.text("outputCol"), value, sum(each.width for each in columns), sum(origins, ()))


def _standard(scope: Scope, stage: SavedStage) -> None:
    row = stage.row()
    deviation, mean = vector(row["std"]), vector(row["mean"])
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation != 0)  # a constant value becomes 0
    scale = scale if stage.param("withStd", True) else np.ones_like(mean)
    _affine(scope, stage, scale, -mean * scale if stage.param("withMean", False) else None)


def _min_max(scope: Scope, stage: SavedStage) -> None:
    row = stage.row()
    low, high = vector(row["originalMin"]), vector(row["originalMax"])
    least, most = float(stage.param("min", 0.0)), float(stage.param("max", 1.0))
    spread = high - low
    scale = np.divide(most - least, spread, out=np.zeros_like(spread), where=spread != 0)
    offset = np.where(spread != 0, least - low * scale, 0.5 * (most + least))  # a constant value: the middle
    _affine(scope, stage, scale, offset)


def _max_abs(scope: Scope, stage: SavedStage) -> None:
    most = vector(stage.row()["maxAbs"])
    _affine(scope, stage, 1 / np.where(most == 0, 1, most), None)


def _robust(scope: Scope, stage: SavedStage) -> None:
    row = stage.row()
    spread, median = vector(row["range"]), vector(row["median"])
    scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread != 0)
    scale = scale if stage.param("withScaling", True) else np.ones_like(spread)
    _affine(scope, stage, scale, -median * scale if stage.param("withCentering", False) else None)


def _product(scope: Scope, stage: SavedStage) -> None:
    _affine(scope, stage, np.array(_values(stage.param("scalingVec")), np.float64), None)


def _values(given: Any) -> list[float]:
    """A vector among a stage's parameters is JSON: {"type": 1, "values": [...]}."""
    return list(vector(given)) if isinstance(given, dict) else list(given or [])


def _normalizer(scope: Scope, stage: SavedStage) -> None:
    column, power = _one(scope, stage), float(stage.param("p", 2.0))
    if power not in (1.0, 2.0, float("inf")):
        raise stage.refuse(f"the norm with p = {power}")
    op = {1.0: "ReduceL1", 2.0: "ReduceL2"}.get(power)
    axes = scope.graph.constant(np.array([1], np.int64), f"{stage.uid}/axis")
    if op is None:
        norm = scope.node(
            "ReduceMax", [scope.node("Abs", [column.value], f"{stage.uid}/abs"), axes], f"{stage.uid}/norm"
        )
    else:
        norm = scope.node(op, [column.value, axes], f"{stage.uid}/norm")
    zero = scope.node("Equal", [norm, scope.constant([0.0], f"{stage.uid}/zero")], f"{stage.uid}/is-zero")
    norm = scope.node("Where", [zero, scope.constant([1.0], f"{stage.uid}/one"), norm], f"{stage.uid}/divisor")
    scope.put(stage.text("outputCol"), scope.node("Div", [column.value, norm], stage.uid), column.width)


def _binarizer(scope: Scope, stage: SavedStage) -> None:
    column = _one(scope, stage)
    threshold = scope.constant([float(stage.param("threshold", 0.0))], f"{stage.uid}/threshold")
    above = scope.node("Greater", [column.value, threshold], f"{stage.uid}/above")
    scope.put(stage.text("outputCol"), scope.node("Cast", [above], stage.uid, to=11), column.width)


def _bucketizer(scope: Scope, stage: SavedStage) -> None:
    """How many of the inner bounds a value reaches."""
    column, bounds = _one(scope, stage, 1), [float(each) for each in stage.param("splits") or []]
    if len(bounds) < 3:
        raise stage.refuse("splits of several columns, or none")
    inner = scope.constant([bounds[1:-1]], f"{stage.uid}/bounds")
    reached = scope.node("GreaterOrEqual", [column.value, inner], f"{stage.uid}/reached")
    counted = scope.node("Cast", [reached], f"{stage.uid}/counted", to=11)
    axes = scope.graph.constant(np.array([1], np.int64), f"{stage.uid}/axis")
    scope.put(stage.text("outputCol"), scope.node("ReduceSum", [counted, axes], stage.uid), 1)


def _pca(scope: Scope, stage: SavedStage) -> None:
    components = matrix(stage.row()["pc"])
    column = _one(scope, stage, len(components))
    value = scope.node("MatMul", [column.value, scope.constant(components, f"{stage.uid}/components")], stage.uid)
    scope.put(stage.text("outputCol"), value, components.shape[1])


def _imputer(scope: Scope, stage: SavedStage) -> None:
    row = stage.row()
    missing = stage.param("missingValue", "NaN")
    if str(missing) != "NaN":
        raise stage.refuse(f"a missing value of {missing}")
    outputs = stage.columns("outputCol", "outputCols")
    for name, out in zip(stage.columns("inputCol", "inputCols"), outputs, strict=True):
        column = scope.number(stage, name, 1)
        absent = scope.node("IsNaN", [column.value], f"{stage.uid}/{name}/absent")
        instead = scope.constant([float(row[name])], f"{stage.uid}/{name}/surrogate")
        scope.put(out, scope.node("Where", [absent, instead, column.value], f"{stage.uid}/{name}"), 1)


def _chosen(scope: Scope, stage: SavedStage) -> None:
    """VectorSlicer, and selectors: some of the values."""
    given = stage.param("indices") if stage.kind == "VectorSlicer" else stage.row()["selectedFeatures"]
    if stage.param("names"):
        raise stage.refuse("features by name")
    column, places = _one(scope, stage), np.array(given, np.int64)
    if len(places) == 0 or places.min() < 0 or places.max() >= column.width:
        raise Refused(f"it chooses among {column.width} values what is not there", node=stage.uid, op=stage.kind)
    index = scope.graph.constant(places, f"{stage.uid}/indices")
    scope.put(stage.text("outputCol"), scope.node("Gather", [column.value, index], stage.uid, axis=1), len(places))


def _indexer(scope: Scope, stage: SavedStage) -> None:
    if stage.param("handleInvalid", "error") == "skip":
        raise stage.refuse("it leaves out rows with unknown texts")
    lists = stage.row()["labelsArray"]
    names = stage.columns("inputCol", "inputCols")
    for name, out, labels in zip(names, stage.columns("outputCol", "outputCols"), lists, strict=True):
        column = scope.text(stage, name, list(labels))
        keep = stage.param("handleInvalid") == "keep"
        index = scope.ml(
            "LabelEncoder",
            [column.value],
            f"{stage.uid}/{name}",
            keys_strings=list(labels),
            values_int64s=list(range(len(labels))),
            default_int64=len(labels) if keep else -1,
        )
        scope.put(out, scope.node("Cast", [index], f"{stage.uid}/{name}/double", to=11), 1)


def _one_hot(scope: Scope, stage: SavedStage) -> None:
    """A place for each category. `dropLast` leaves out the last, which is that of all unknown ones where these are
    kept."""
    keep, drop = stage.param("handleInvalid", "error") == "keep", bool(stage.param("dropLast", True))
    sizes = stage.row()["categorySizes"]
    names = stage.columns("inputCol", "inputCols")
    for name, out, size in zip(names, stage.columns("outputCol", "outputCols"), sizes, strict=True):
        column, places = scope.number(stage, name, 1), int(size) - (drop and not keep)
        scope.tell(column, 0, list(range(int(size))))
        numbers = scope.constant([list(range(places))], f"{stage.uid}/{name}/numbers")
        same = scope.node("Equal", [column.value, numbers], f"{stage.uid}/{name}/same")
        value = scope.node("Cast", [same], f"{stage.uid}/{name}", to=11)
        if keep and not drop:
            axes = scope.graph.constant(np.array([1], np.int64), f"{stage.uid}/{name}/axis")
            known = scope.node("ReduceMax", [value, axes], f"{stage.uid}/{name}/known")
            one = scope.constant([1.0], f"{stage.uid}/{name}/one")
            other = scope.node("Sub", [one, known], f"{stage.uid}/{name}/unknown")
            value, places = scope.node("Concat", [value, other], f"{stage.uid}/{name}/all", axis=1), places + 1
        scope.put(out, value, places)


def _inverse_frequency(scope: Scope, stage: SavedStage) -> None:
    _affine(scope, stage, vector(stage.row()["idf"]), None)


def _to_text(scope: Scope, stage: SavedStage) -> None:
    """The model gives the index; what it stands for is a label of the contract."""
    scope.labels = [str(each) for each in stage.param("labels") or []]


FEATURES: dict[str, Handler] = {
    "VectorAssembler": _assembler,
    "StandardScalerModel": _standard,
    "MinMaxScalerModel": _min_max,
    "MaxAbsScalerModel": _max_abs,
    "RobustScalerModel": _robust,
    "ElementwiseProduct": _product,
    "Normalizer": _normalizer,
    "Binarizer": _binarizer,
    "Bucketizer": _bucketizer,
    "PCAModel": _pca,
    "ImputerModel": _imputer,
    "VectorSlicer": _chosen,
    "ChiSqSelectorModel": _chosen,
    "UnivariateFeatureSelectorModel": _chosen,
    "VarianceThresholdSelectorModel": _chosen,
    "StringIndexerModel": _indexer,
    "OneHotEncoderModel": _one_hot,
    "VectorIndexerModel": categories.index,
    "PolynomialExpansion": expanding.polynomial,
    "DCT": expanding.cosine,
    "IDFModel": _inverse_frequency,
    "IndexToString": _to_text,
}

"""Stages that predict. Classifiers put `prediction` (the class's index), `probability` and `rawPrediction`, as Spark
names them; regressors put `prediction`. The formulas are those of Spark's pages on classification, regression and
clustering."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from dlpipe_worker import Refused

from . import factors, trees
from .features import Handler
from .isotonic import isotonic
from .mixtures import mixture
from .one_vs_rest import one_vs_rest
from .reading import Array, SavedStage, matrix, vector
from .scope import Column, Scope


def _features(scope: Scope, stage: SavedStage, width: int) -> Column:
    return scope.number(stage, str(stage.param("featuresCol", "features")), width)


def _linear(scope: Scope, stage: SavedStage, weights: Array, offset: Array) -> str:
    """weights: [outputs, features] -> [N, outputs]."""
    column = _features(scope, stage, weights.shape[1])
    product = scope.node(
        "MatMul", [column.value, scope.constant(weights.T, f"{stage.uid}/weights")], f"{stage.uid}/sum"
    )
    return scope.node("Add", [product, scope.constant(offset, f"{stage.uid}/intercept")], f"{stage.uid}/margin")


def _regression(scope: Scope, stage: SavedStage) -> None:
    row = stage.row()
    value = _linear(scope, stage, vector(row["coefficients"])[None], np.array([float(row["intercept"])]))
    if stage.kind == "GeneralizedLinearRegressionModel":
        link = stage.param("link") or _LINKS.get(str(stage.param("family", "gaussian")))
        if link not in ("identity", "log", "logit"):
            raise stage.refuse(f"the link {link}")
        ops = {"log": "Exp", "logit": "Sigmoid"}
        value = scope.node(ops[link], [value], f"{stage.uid}/mean") if link in ops else value
    scope.put(stage.text("predictionCol"), value, 1)


_LINKS = {"gaussian": "identity", "binomial": "logit", "poisson": "log"}


def _logistic(scope: Scope, stage: SavedStage) -> None:
    _refuse_thresholds(stage)
    row = stage.row()
    weights, offset = matrix(row["coefficientMatrix"]), vector(row["interceptVector"])
    margin = _linear(scope, stage, weights, offset)
    if row["isMultinomial"]:
        _several(scope, stage, margin, scope.node("Softmax", [margin], f"{stage.uid}/softmax", axis=1), len(weights))
        return
    positive = scope.node("Sigmoid", [margin], f"{stage.uid}/positive")
    _binary(scope, stage, margin, positive, positive, float(stage.param("threshold", 0.5)))


def _svc(scope: Scope, stage: SavedStage) -> None:
    row = stage.row()
    margin = _linear(scope, stage, vector(row["coefficients"])[None], np.array([float(row["intercept"])]))
    _binary(scope, stage, margin, None, margin, float(stage.param("threshold", 0.0)))


def _refuse_thresholds(stage: SavedStage) -> None:
    if stage.param("thresholds"):
        raise stage.refuse("a threshold for each class")


def _binary(scope: Scope, stage: SavedStage, margin: str, positive: str | None, judged: str, threshold: float) -> None:
    """judged: what must be above the threshold for the class 1."""
    uid = stage.uid
    raw = scope.node("Concat", [scope.node("Neg", [margin], f"{uid}/other"), margin], f"{uid}/raw", axis=1)
    scope.put(str(stage.param("rawPredictionCol", "rawPrediction")), raw, 2)
    if positive is not None:
        rest = scope.node("Sub", [scope.constant([1.0], f"{uid}/one"), positive], f"{uid}/rest")
        both = scope.node("Concat", [rest, positive], f"{uid}/probability", axis=1)
        scope.put(str(stage.param("probabilityCol", "probability")), both, 2)
    above = scope.node("Greater", [judged, scope.constant([threshold], f"{uid}/threshold")], f"{uid}/above")
    scope.put(stage.text("predictionCol"), scope.node("Cast", [above], f"{uid}/prediction", to=11), 1)


def _several(scope: Scope, stage: SavedStage, raw: str, probability: str, classes: int) -> None:
    scope.put(str(stage.param("rawPredictionCol", "rawPrediction")), raw, classes)
    scope.put(str(stage.param("probabilityCol", "probability")), probability, classes)
    best = scope.node("ArgMax", [probability], f"{stage.uid}/best", axis=1)
    scope.put(stage.text("predictionCol"), scope.node("Cast", [best], f"{stage.uid}/prediction", to=11), 1)


def _bayes(scope: Scope, stage: SavedStage) -> None:
    _refuse_thresholds(stage)
    row = stage.row()
    prior, theta, kind = vector(row["pi"]), matrix(row["theta"]), str(stage.param("modelType", "multinomial"))
    if kind == "bernoulli":  # x log p + (1 - x) log (1 - p)
        absent = np.log1p(-np.exp(theta))
        margin = _linear(scope, stage, theta - absent, prior + absent.sum(1))
    elif kind == "gaussian":
        margin = _gaussian(scope, stage, prior, theta, matrix(row["sigma"]))
    elif kind in ("multinomial", "complement"):
        if kind == "complement":
            raise stage.refuse("the complement model")
        margin = _linear(scope, stage, theta, prior)
    else:
        raise stage.refuse(f"the model type {kind}")
    _several(scope, stage, margin, scope.node("Softmax", [margin], f"{stage.uid}/softmax", axis=1), len(prior))


def _gaussian(scope: Scope, stage: SavedStage, prior: Array, mean: Array, variance: Array) -> str:
    """log prior - sum((x - mean)^2 / variance + log variance) / 2, as a quadratic form of x."""
    column, uid = _features(scope, stage, mean.shape[1]), stage.uid
    square = scope.node("Mul", [column.value, column.value], f"{uid}/square")
    quadratic = scope.node("MatMul", [square, scope.constant((-0.5 / variance).T, f"{uid}/curve")], f"{uid}/quadratic")
    offset = prior - 0.5 * (np.log(variance) + mean**2 / variance).sum(1)
    return scope.node("Add", [quadratic, _linear(scope, stage, mean / variance, offset)], f"{uid}/likelihood")


def _perceptron(scope: Scope, stage: SavedStage) -> None:
    """Layers of sigmoids, and a softmax at the end; weights in one vector, column by column, biases behind each."""
    _refuse_thresholds(stage)
    row = stage.row()
    sizes = [int(each) for each in row.get("layers") or stage.param("layers") or []]
    weights = vector(row["weights"])
    if len(sizes) < 2 or sum((n + 1) * m for n, m in pairwise(sizes)) != len(weights):
        raise Refused(f"{len(weights)} weights do not make the layers {sizes}", node=stage.uid, op=stage.kind)
    value, at = _features(scope, stage, sizes[0]).value, 0
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        dense = weights[at : at + inputs * outputs].reshape(inputs, outputs)
        bias = weights[at + inputs * outputs : at + (inputs + 1) * outputs]
        at += (inputs + 1) * outputs
        name = f"{stage.uid}/layer{index}"
        value = scope.node("MatMul", [value, scope.constant(dense, f"{name}/weights")], f"{name}/product")
        value = scope.node("Add", [value, scope.constant(bias, f"{name}/bias")], f"{name}/sum")
        if index < len(sizes) - 2:
            value = scope.node("Sigmoid", [value], f"{name}/sigmoid")
    softmax = scope.node("Softmax", [value], f"{stage.uid}/softmax", axis=1)
    _several(scope, stage, value, softmax, sizes[-1])


def _k_means(scope: Scope, stage: SavedStage) -> None:
    if stage.param("distanceMeasure", "euclidean") != "euclidean":
        raise stage.refuse("the cosine distance")
    rows = sorted(stage.rows(), key=lambda each: int(each["clusterIdx"]))
    centres = np.stack([vector(each["clusterCenter"]) for each in rows])
    # The nearest centre c has the least |c|^2 / 2 - x c.
    distance = _linear(scope, stage, -centres, (centres**2).sum(1) / 2)
    nearest = scope.node("ArgMin", [distance], f"{stage.uid}/nearest", axis=1)
    scope.put(stage.text("predictionCol"), scope.node("Cast", [nearest], f"{stage.uid}/prediction", to=11), 1)


def _tree_regression(scope: Scope, stage: SavedStage) -> None:
    forest = trees.read(stage)
    column = _features(scope, stage, int(stage.about["numFeatures"]))
    scope.put(stage.text("predictionCol"), trees.emit(scope, stage, forest.regression(), column), 1)


def _tree_classification(scope: Scope, stage: SavedStage) -> None:
    """Each tree votes with its leaf's class frequencies."""
    _refuse_thresholds(stage)
    forest, classes = trees.read(stage), int(stage.about["numClasses"])
    column = _features(scope, stage, int(stage.about["numFeatures"]))
    probability = trees.emit(scope, stage, forest.classification(classes), column)
    _several(scope, stage, probability, probability, classes)


def _boosted_classification(scope: Scope, stage: SavedStage) -> None:
    """Two classes; with the logistic loss of Spark the probability is 1 / (1 + exp(-2 margin))."""
    _refuse_thresholds(stage)
    forest = trees.read(stage)
    column = _features(scope, stage, int(stage.about["numFeatures"]))
    margin = trees.emit(scope, stage, forest.regression(), column)
    doubled = scope.node("Mul", [margin, scope.constant([2.0], f"{stage.uid}/two")], f"{stage.uid}/doubled")
    positive = scope.node("Sigmoid", [doubled], f"{stage.uid}/positive")
    _binary(scope, stage, margin, positive, margin, 0.0)


def _survival(scope: Scope, stage: SavedStage) -> None:
    row = stage.row()
    time = _linear(scope, stage, vector(row["coefficients"])[None], np.array([float(row["intercept"])]))
    scope.put(stage.text("predictionCol"), scope.node("Exp", [time], f"{stage.uid}/mean"), 1)


def _factor_regression(scope: Scope, stage: SavedStage) -> None:
    scope.put(stage.text("predictionCol"), factors.margin(scope, stage), 1)


def _factor_classification(scope: Scope, stage: SavedStage) -> None:
    _refuse_thresholds(stage)
    margin = factors.margin(scope, stage)
    positive = scope.node("Sigmoid", [margin], f"{stage.uid}/positive")
    _binary(scope, stage, margin, positive, positive, 0.5)


def _one_vs_rest(scope: Scope, stage: SavedStage) -> None:
    one_vs_rest(scope, stage, PREDICTORS)


PREDICTORS: dict[str, Handler] = {
    "LinearRegressionModel": _regression,
    "GeneralizedLinearRegressionModel": _regression,
    "LogisticRegressionModel": _logistic,
    "LinearSVCModel": _svc,
    "NaiveBayesModel": _bayes,
    "MultilayerPerceptronClassificationModel": _perceptron,
    "KMeansModel": _k_means,
    "DecisionTreeRegressionModel": _tree_regression,
    "RandomForestRegressionModel": _tree_regression,
    "GBTRegressionModel": _tree_regression,
    "DecisionTreeClassificationModel": _tree_classification,
    "RandomForestClassificationModel": _tree_classification,
    "GBTClassificationModel": _boosted_classification,
    "AFTSurvivalRegressionModel": _survival,
    "IsotonicRegressionModel": isotonic,
    "FMRegressionModel": _factor_regression,
    "FMClassificationModel": _factor_classification,
    "GaussianMixtureModel": mixture,
    "OneVsRestModel": _one_vs_rest,
}

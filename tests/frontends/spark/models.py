"""Pipelines fitted and saved by Spark itself, with its answers: `python models.py FOLDER`, in the spark toolchain.

`python models.py FOLDER NAME...` makes these alone.

Each folder holds the pipeline, and `io.npz`: an array per input column, and `prediction` or `out`.
"""

import sys
import types
from pathlib import Path

import numpy as np
from pyspark.ml import Pipeline
from pyspark.ml.classification import (
    DecisionTreeClassifier,
    FMClassifier,
    GBTClassifier,
    LinearSVC,
    LogisticRegression,
    MultilayerPerceptronClassifier,
    NaiveBayes,
    OneVsRest,
)
from pyspark.ml.clustering import GaussianMixture, KMeans
from pyspark.ml.feature import (
    DCT,
    IDF,
    PCA,
    Binarizer,
    Bucketizer,
    ElementwiseProduct,
    Imputer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialExpansion,
    RobustScaler,
    StandardScaler,
    StringIndexer,
    VectorAssembler,
    VectorIndexer,
    VectorSlicer,
)
from pyspark.ml.linalg import Vectors
from pyspark.ml.regression import (
    AFTSurvivalRegression,
    DecisionTreeRegressor,
    FMRegressor,
    GBTRegressor,
    GeneralizedLinearRegression,
    IsotonicRegression,
    RandomForestRegressor,
)

out = Path(sys.argv[1])
random = np.random.default_rng(4)
X = random.standard_normal((120, 4)).astype(np.float32).astype(float)
three = (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 0.6)
names = np.array(["red", "green", "blue"])[three]
y = X @ [1.0, 2.0, 0.0, -1.0] + 3
kinds = random.choice([-3.0, 0.0, 2.0, 7.0, 9.0, 11.0], 120)
y = y + np.isin(kinds, [0.0, 9.0, 11.0]) * 4
COLUMNS = ["a", "b", "c", "d"]


def vec(*stages):
    return [VectorAssembler(inputCols=COLUMNS, outputCol="features"), *stages]


def numbered(*stages):
    """With a feature of categories among the others."""
    joined = VectorAssembler(inputCols=["a", "k", "c"], outputCol="joined")
    return [joined, VectorIndexer(inputCol="joined", outputCol="features", maxCategories=8), *stages]


def scaled(kind, **more):
    return vec(kind(inputCol="features", outputCol="out", **more))


def pipelines():
    """Made once there is a session: Spark's stages live in Java."""
    return {
        "standard": scaled(StandardScaler, withMean=True),
        "min-max": scaled(MinMaxScaler, min=-1.0, max=2.0),
        "max-abs": scaled(MaxAbsScaler),
        "robust": scaled(RobustScaler, withCentering=True),
        "normalizer": scaled(Normalizer, p=1.0),
        "pca": scaled(PCA, k=2),
        "product": scaled(ElementwiseProduct, scalingVec=Vectors.dense([1.0, -2.0, 0.5, 0.0])),
        "slicer": scaled(VectorSlicer, indices=[3, 1]),
        "binarizer": [Binarizer(inputCol="a", outputCol="out", threshold=0.2)],
        "bucketizer": [Bucketizer(inputCol="a", outputCol="out", splits=[float("-inf"), -0.5, 0.0, 1.0, float("inf")])],
        "imputer": [
            Imputer(inputCols=["a", "b"], outputCols=["e", "f"]),
            VectorAssembler(inputCols=["e", "f"], outputCol="out"),
        ],
        "texts": [
            StringIndexer(inputCol="s", outputCol="i"),
            OneHotEncoder(inputCols=["i"], outputCols=["o"]),
            VectorAssembler(inputCols=["a", "o"], outputCol="features"),
            LogisticRegression(maxIter=5),
        ],
        "multinomial": vec(LogisticRegression(maxIter=5, family="multinomial")),
        "svc": vec(LinearSVC(maxIter=5, labelCol="two")),
        "tree": vec(DecisionTreeClassifier(maxDepth=4)),
        "boosted": vec(GBTClassifier(maxIter=4, maxDepth=2, labelCol="two")),
        "perceptron": vec(MultilayerPerceptronClassifier(layers=[4, 5, 3], maxIter=20, seed=1)),
        "gaussian": vec(NaiveBayes(modelType="gaussian")),
        "multinomial-bayes": vec(MinMaxScaler(inputCol="features", outputCol="m"), NaiveBayes(featuresCol="m")),
        "k-means": vec(KMeans(k=3, seed=1)),
        "tree-regression": vec(DecisionTreeRegressor(maxDepth=4, labelCol="y")),
        "forest-regression": vec(RandomForestRegressor(numTrees=5, maxDepth=3, labelCol="y", seed=2)),
        "numbered": numbered(VectorSlicer(inputCol="features", outputCol="out", indices=[0, 1, 2])),
        "categories": numbered(DecisionTreeClassifier(maxDepth=5, labelCol="often")),
        "categories-forest": numbered(RandomForestRegressor(numTrees=4, maxDepth=4, labelCol="y", seed=2)),
        "categories-boosted": numbered(GBTRegressor(maxIter=3, maxDepth=3, labelCol="y")),
        "unknown-kept": [
            StringIndexer(inputCol="s", outputCol="i", handleInvalid="keep"),
            OneHotEncoder(inputCols=["i"], outputCols=["out"], handleInvalid="keep", dropLast=False),
        ],
        "unknown-dropped": [
            StringIndexer(inputCol="s", outputCol="i", handleInvalid="keep"),
            OneHotEncoder(inputCols=["i"], outputCols=["out"], handleInvalid="keep"),
        ],
        "polynomial": scaled(PolynomialExpansion, degree=3),
        "cosines": scaled(DCT),
        "cosines-back": scaled(DCT, inverse=True),
        "frequency": vec(MinMaxScaler(inputCol="features", outputCol="m"), IDF(inputCol="m", outputCol="out")),
        "mixture": vec(GaussianMixture(k=3, seed=1)),
        "isotonic": [IsotonicRegression(featuresCol="a", labelCol="y")],
        "factors": vec(FMRegressor(factorSize=3, labelCol="y", maxIter=20)),
        "factors-of-two": vec(FMClassifier(factorSize=2, labelCol="two", maxIter=20)),
        "one-vs-rest": vec(OneVsRest(classifier=LogisticRegression(maxIter=5))),
        "survival": vec(AFTSurvivalRegression(labelCol="positive", censorCol="two")),
        "poisson": vec(GeneralizedLinearRegression(family="poisson", link="log", labelCol="positive")),
    }


def main(session):
    rows = [
        (
            *map(float, x),
            str(name),
            float(label),
            float(label > 0),
            float(target),
            float(abs(target) + 0.1),
            float(kind),
            float((target > 3) + (target > 6)),
        )
        for x, name, label, target, kind in zip(X, names, three, y, kinds, strict=True)
    ]
    named = [*COLUMNS, "s", "label", "two", "y", "positive", "k", "often"]
    table = session.createDataFrame(rows, named).repartition(1)
    for name, stages in pipelines().items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        model = Pipeline(stages=stages).fit(table)
        model.save(str(out / name))
        answered = model.transform(table)
        wanted = "prediction" if "prediction" in answered.columns else "out"
        collected = [row[0] for row in answered.select(wanted).collect()]
        values = [each.toArray() if hasattr(each, "toArray") else each for each in collected]
        inputs = {column: X[:, [i]].astype(np.float32) for i, column in enumerate(COLUMNS)}
        inputs["k"] = kinds[:, None].astype(np.float32)
        np.savez(out / name / "io.npz", **inputs, s=names[:, None], y=np.array(values))


if __name__ == "__main__":
    # The session of the frontend's own executor, imported as a worker would.
    house = types.ModuleType("house")
    house.__path__ = [str(Path(__file__).parents[3] / "dlpipe" / "frontends")]
    sys.modules["house"] = house
    for part in ("kit", "spark"):
        package = types.ModuleType(f"house.{part}")
        package.__path__ = [f"{house.__path__[0]}/{part}"]
        sys.modules[f"house.{part}"] = package
    sys.path.insert(0, str(Path(__file__).parents[3] / "dlpipe" / "toolchains" / "runtime"))
    from house.spark.original import session

    main(session())

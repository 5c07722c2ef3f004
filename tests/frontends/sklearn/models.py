"""Models made by the libraries themselves, in the sklearn toolchain: `python models.py FOLDER`."""

import sys
from pathlib import Path

import joblib
import lightgbm
import numpy as np
import pandas as pd
import skops.io
import xgboost
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor, IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC

out = Path(sys.argv[1])
random = np.random.default_rng(3)
X = random.standard_normal((300, 5)).astype(np.float32)
three = (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 0.5)
names = np.array(["low", "mid", "high"])[three]
y = X @ [1.0, 2.0, 0.0, -1.0, 0.5] + 0.1

ESTIMATORS = {
    "strings": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, names),
    "forest": RandomForestClassifier(12, random_state=0).fit(X, three),
    "neighbours": KNeighborsClassifier(3).fit(X, three),
    "linear-svc": LinearSVC().fit(X, three > 0),
    "regression": make_pipeline(PolynomialFeatures(2), LinearRegression()).fit(X, y),
    "boosted": HistGradientBoostingRegressor(max_iter=20).fit(X, y),
    "clusters": KMeans(3, n_init=1, random_state=0).fit(X),
    "outliers": IsolationForest(n_estimators=10, random_state=0).fit(X),
    "pca": PCA(2).fit(X),
}
for name, model in ESTIMATORS.items():
    skops.io.dump(model, out / f"{name}.skops")
joblib.dump(ESTIMATORS["forest"], out / "forest.joblib")

table = pd.DataFrame({"age": X[:, 0], "city": np.array(["Ulm", "Köln", "Rom"])[three]})
columns = ColumnTransformer([("number", StandardScaler(), ["age"]), ("text", OneHotEncoder(), ["city"])])
skops.io.dump(make_pipeline(columns, LogisticRegression()).fit(table, X[:, 1] > 0), out / "table.skops")

for objective in (
    "reg:squarederror",
    "reg:logistic",
    "count:poisson",
    "reg:tweedie",
    "binary:logistic",
    "multi:softprob",
):
    target = three if objective[:5] == "multi" else (three > 0) if objective[:3] in ("bin", "reg") else abs(y)
    more = {"num_class": 3} if objective == "multi:softprob" else {}
    made = xgboost.train({"objective": objective, "max_depth": 3, **more}, xgboost.DMatrix(X, target), 8)
    made.save_model(out / f"{objective.replace(':', '-')}.json")
made.save_model(out / "multi.ubj")
xgboost.train({"booster": "gblinear"}, xgboost.DMatrix(X, y), 2).save_model(out / "gblinear.json")

for objective in ("binary", "multiclass", "regression", "poisson"):
    target = three if objective == "multiclass" else (three > 0) if objective == "binary" else abs(y)
    more = {"num_class": 3} if objective == "multiclass" else {}
    settings = {"objective": objective, "num_leaves": 7, "verbosity": -1, "num_threads": 1, **more}
    lightgbm.train(settings, lightgbm.Dataset(X, target), 8).save_model(out / f"{objective}.txt")


class Mine(LinearRegression):
    """A type that no converter and no list of harmless types knows."""


skops.io.dump(Mine().fit(X, y), out / "mine.skops")

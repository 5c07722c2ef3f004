"""Which estimators and objectives are covered, told by the converters that are installed."""

from __future__ import annotations

from typing import Any


def coverage(framework: str) -> dict[str, Any]:
    """See `Frontend` (contracts/frontend.py) for what comes back."""
    return {"sklearn": _sklearn, "xgboost": _xgboost, "lightgbm": _lightgbm}[framework]()


def _sklearn() -> dict[str, Any]:
    import sklearn
    from skl2onnx import supported_converters
    from sklearn.utils import all_estimators

    known = set(supported_converters(from_sklearn=True))
    names = [name for name, _ in all_estimators()]
    found = {name: {"support": "full" if name in known else "none", "note": None} for name in names}
    return {"operators": found, "source": f"the estimators of scikit-learn {sklearn.__version__}"}


def _xgboost() -> dict[str, Any]:
    import xgboost

    full = ("binary:logistic", "multi:softprob", "reg:squarederror", "reg:logistic", "count:poisson", "reg:tweedie")
    found = {name: {"support": "full", "note": None} for name in full}
    found["multi:softmax"] = {"support": "none", "note": "it tells classes only; multi:softprob is the same model"}
    found["gblinear"] = {"support": "none", "note": "a booster without trees"}
    return {"operators": found, "source": f"objectives of XGBoost {xgboost.__version__} that are tested here"}


def _lightgbm() -> dict[str, Any]:
    import lightgbm

    found = {name: {"support": "full", "note": None} for name in ("binary", "multiclass", "regression", "poisson")}
    return {"operators": found, "source": f"objectives of LightGBM {lightgbm.__version__} that are tested here"}

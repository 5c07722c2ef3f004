"""The original, executed by its own library: what the ports of the import are called, it answers by the same names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import executing
from . import loading


def library(model: Any) -> str:
    """ "sklearn", "xgboost" or "lightgbm"."""
    return str(type(model).__module__).partition(".")[0]


def classes(model: Any) -> list[Any] | None:
    """The classes of a classifier in the order of its scores, None for what is none. Boosters number theirs."""
    if library(model) == "sklearn" or not hasattr(model, "predict") or hasattr(model, "fit"):
        found = getattr(model, "classes_", None) if hasattr(model, "predict") else None
        return list(found) if found is not None else None
    count = booster_classes(model)
    return list(range(count)) if count else None


def booster_classes(model: Any) -> int:
    """2 for a binary objective, n for a multi-class one, 0 for regression and ranking."""
    if library(model) == "xgboost":
        import json

        learner = json.loads(model.save_config())["learner"]
        objective, count = learner["objective"]["name"], int(learner["learner_model_param"]["num_class"])
        if objective.startswith("multi:"):
            return count
        return 2 if objective == "binary:logistic" else 0
    told = model.dump_model(num_iteration=1)
    objective = str(told.get("objective", "")).split()[0] if told.get("objective") else ""
    if objective in ("multiclass", "multiclassova"):
        return int(told["num_class"])
    return 2 if objective in ("binary", "cross_entropy") else 0


class Original(executing.Model):
    def __init__(self, model: Any, contract: Mapping[str, Any]) -> None:
        self.model = model
        self.inputs = [port["name"] for port in contract["inputs"]]
        self.outputs = {port["name"]: port for port in contract["outputs"]}
        self.columns = bool(contract["metadata"].get("columns"))
        self.tool = _tool(model)

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        if self.columns:
            import pandas as pd

            x: Any = pd.DataFrame({name: feeds[name].ravel() for name in self.inputs})
        else:
            x = feeds[self.inputs[0]]
        try:
            found = self._answers(x)
        except (ValueError, TypeError) as error:
            raise Refused(f"{self.tool} cannot run the model: {str(error).splitlines()[0]}") from error
        return {name: np.reshape(found[name], _shape(port, len(x))) for name, port in self.outputs.items()}

    def _answers(self, x: Any) -> dict[str, Any]:
        model, known = self.model, classes(self.model)
        if library(model) != "sklearn" and not hasattr(model, "fit"):
            return self._booster(x, known)
        if known is not None:
            index = {name: number for number, name in enumerate(known)}
            label = np.array([index[each] for each in model.predict(x)], np.int64)
            return {"label": label, "probabilities": _scores(model, x)}
        if hasattr(model, "predict"):
            label = model.predict(x)
            found = {"variable": label, "label": label}
            for score in ("decision_function", "transform"):  # of outliers, of clusters
                if hasattr(model, score) and "scores" in self.outputs:
                    return {**found, "scores": getattr(model, score)(x)}
            return found
        made = model.transform(x)
        return {"variable": made.toarray() if hasattr(made, "toarray") else made}

    def _booster(self, x: Any, known: list[Any] | None) -> dict[str, Any]:
        if library(self.model) == "xgboost":
            import xgboost

            self.model.feature_names = None
            found = self.model.predict(xgboost.DMatrix(x))
            if found.ndim == 1 and known is not None and len(known) > 2:  # multi:softmax gives the class itself
                raise Refused("a model with the objective multi:softmax tells classes only", kind="unsupported")
        else:
            found = self.model.predict(x)
        if known is None:
            return {"variable": found}
        scores = np.stack([1 - found, found], 1) if found.ndim == 1 else found
        return {"label": scores.argmax(1), "probabilities": scores}


def _scores(model: Any, x: Any) -> Any:
    if hasattr(model, "predict_proba"):
        return model.predict_proba(x)
    scores = model.decision_function(x)
    return np.stack([-scores, scores], 1) if scores.ndim == 1 else scores


def _shape(port: Mapping[str, Any], rows: int) -> list[int]:
    return [rows if isinstance(dim, str) else dim for dim in port["shape"]]


def _tool(model: Any) -> str:
    import importlib

    name = library(model)
    module = importlib.import_module(name)
    return f"{'scikit-learn' if name == 'sklearn' else name} {module.__version__}"


def open_model(request: Request, contract: Mapping[str, Any], _threads: int | None) -> Original:
    return Original(loading.load(request), contract)

"""Spark MLlib -> ONNX, and Spark itself to run originals. Runs in the spark toolchain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe_worker import Request, operation

from ..kit import executing

# Fitted stages of pyspark.ml that are not handled: text, hashing, and models that no ONNX operator computes.
_OTHERS = (
    "CountVectorizerModel",
    "HashingTF",
    "Tokenizer",
    "StopWordsRemover",
    "NGram",
    "Word2VecModel",
    "Interaction",
    "FeatureHasher",
    "SQLTransformer",
    "QuantileDiscretizer",
    "BucketedRandomProjectionLSHModel",
    "MinHashLSHModel",
    "RFormulaModel",
    "BisectingKMeansModel",
    "LDAModel",
    "ALSModel",
)
_PARTLY = {
    "Bucketizer": "of one column",
    "KMeansModel": "the euclidean distance",
    "NaiveBayesModel": "not the complement model",
    "GeneralizedLinearRegressionModel": "the links identity, log and logit",
}


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, inputs, dims, route ("own" or "onnxmltools")."""
    if request.params["route"] == "onnxmltools":
        from .exporter import import_model as export

        return export(request)
    from .importing import import_model

    return import_model(request)


def _open(request: Request, contract: Mapping[str, Any], threads: int | None) -> executing.Model:
    from .original import open_model

    return open_model(request, contract, threads)


executing.serve(__name__, _open)


@operation
def operators(request: Request) -> dict[str, Any]:
    """Which fitted stages are covered."""
    from .importing import HANDLERS

    del request
    found = {
        name: {"support": "partial" if name in _PARTLY else "full", "note": _PARTLY.get(name)} for name in HANDLERS
    }
    found.update({name: {"support": "none", "note": None} for name in _OTHERS})
    return {"operators": found, "source": "the fitted stages of pyspark.ml"}

"""Classical models: scikit-learn (skops, joblib or pickle), XGBoost (.json, .ubj) and LightGBM (text).

skl2onnx and onnxmltools convert them to the domain ai.onnx.ml; each original runs in its own library. A classifier
gives `label` (the index of the class; the names are the contract's labels) and `probabilities` (or raw scores, where it
has no probabilities). A joblib file is a pickle, which executes code: it is read with --unsafe-load only; skops files
are read without it as long as they name no types beyond scikit-learn's and numpy's own. Columns of text or of mixed
types are told one by one: --input age:1x1:float32 --input city:1x1:str.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import Unsupported
from dlpipe.frontends import inputs_of
from dlpipe.frontends.room import RoomFrontend

NO_PICKLES = ("sklearn/skops", "xgboost/json", "xgboost/ubj", "lightgbm/text")  # all else is read as one


class SklearnFrontend(RoomFrontend):
    name = "sklearn"
    formats: tuple[str, ...] = ("sklearn/skops", "sklearn/joblib")
    toolchain = "sklearn"
    room = Path(__file__).parent

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> None:
        """None of the libraries shows what lies between."""
        del sniffed, options

    def operators_call(self) -> Call:
        return self._call("operators", {"framework": self.name})

    def common(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        """Raises Unsupported for a pickle without --unsafe-load."""
        if sniffed.format not in NO_PICKLES and not options.unsafe_load:
            raise Unsupported(
                f"{sniffed.entry} can only be read as a pickle: that executes the code that it names",
                hint="if you trust where it comes from: --unsafe-load; or save the model with skops (scikit-learn), or "
                "with its own save_model (XGBoost, LightGBM)",
            )
        return {**super().common(sniffed, options), "unsafe_load": options.unsafe_load}

    def of_import(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        del sniffed
        return {"inputs": inputs_of(options), "dims": dict(options.dims)}


class XgboostFrontend(SklearnFrontend):
    name = "xgboost"
    formats = ("xgboost/json", "xgboost/ubj", "xgboost/pickle")


class LightgbmFrontend(SklearnFrontend):
    name = "lightgbm"
    formats = ("lightgbm/text", "lightgbm/pickle")

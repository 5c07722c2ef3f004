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
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.errors import Unsupported
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")
NO_PICKLES = ("sklearn/skops", "xgboost/json", "xgboost/ubj", "lightgbm/text")  # all else is read as one


class SklearnFrontend(Frontend):
    """See `worker.py` for what each operation reads and writes."""

    name = "sklearn"
    formats: tuple[str, ...] = ("sklearn/skops", "sklearn/joblib")
    toolchain = "sklearn"

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        inputs = {name: dict(each) for name, each in options.inputs.items()}
        return self._call("import", sniffed, options, inputs=inputs, dims=dict(options.dims))

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call("reference", sniffed, options)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call("time", sniffed, options, threads=1)

    def operators_call(self) -> Call:
        return Call(self.toolchain, WORKER, "operators", {"framework": self.name}, libraries=(KIT,))

    def _call(self, operation: str, sniffed: Sniffed, options: ImportOptions, **params: Any) -> Call:
        if sniffed.format not in NO_PICKLES and not options.unsafe_load:
            raise Unsupported(
                f"{sniffed.entry} can only be read as a pickle: that executes the code that it names",
                hint="if you trust where it comes from: --unsafe-load; or save the model with skops (scikit-learn), or "
                "with its own save_model (XGBoost, LightGBM)",
            )
        given = {"entry": sniffed.entry, "format": sniffed.format, "unsafe_load": options.unsafe_load, **params}
        return Call(
            self.toolchain,
            WORKER,
            operation,
            given,
            libraries=(KIT,),
            stage_class="hardware" if operation == "time" else "deterministic",
        )


class XgboostFrontend(SklearnFrontend):
    name = "xgboost"
    formats = ("xgboost/json", "xgboost/ubj", "xgboost/pickle")


class LightgbmFrontend(SklearnFrontend):
    name = "lightgbm"
    formats = ("lightgbm/text", "lightgbm/pickle")

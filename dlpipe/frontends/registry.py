"""Which frontends there are, and which one takes what the sniffer found.

Another package adds one through an entry point of the group `dlpipe.frontends`: a callable without arguments that
returns an object of the `Frontend` protocol.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from dlpipe.contracts.frontend import Frontend, Sniffed
from dlpipe.errors import BadModel, Unsupported, UserError

ENTRY_POINTS = "dlpipe.frontends"
FRONTENDS = {
    "tensorflow": "dlpipe.frontends.tensorflow:TensorFlowFrontend",
    "caffe2": "dlpipe.frontends.caffe2:Caffe2Frontend",
    "cntk": "dlpipe.frontends.cntk:CntkFrontend",
    "tflite": "dlpipe.frontends.tflite:TFLiteFrontend",
    "keras": "dlpipe.frontends.keras:KerasFrontend",
    "theano": "dlpipe.frontends.theano:TheanoFrontend",
    "onnx": "dlpipe.frontends.onnx:OnnxFrontend",
    "sklearn": "dlpipe.frontends.sklearn:SklearnFrontend",
    "xgboost": "dlpipe.frontends.sklearn:XgboostFrontend",
    "lightgbm": "dlpipe.frontends.sklearn:LightgbmFrontend",
    "spark": "dlpipe.frontends.spark:SparkFrontend",
    "kaldi": "dlpipe.frontends.kaldi:KaldiFrontend",
    "caffe": "dlpipe.frontends.caffe:CaffeFrontend",
    "darknet": "dlpipe.frontends.darknet:DarknetFrontend",
    "mxnet": "dlpipe.frontends.mxnet:MxnetFrontend",
    "pytorch": "dlpipe.frontends.pytorch:PyTorchFrontend",
    "paddle": "dlpipe.frontends.paddle:PaddleFrontend",
    "jax": "dlpipe.frontends.jax:JaxFrontend",
    "nnef": "dlpipe.frontends.nnef:NnefFrontend",
    "ncnn": "dlpipe.frontends.ncnn:NcnnFrontend",
    "mnn": "dlpipe.frontends.mnn:MnnFrontend",
}


@cache
def frontends() -> dict[str, Frontend]:
    """Name -> frontend: ours first, then those of other packages."""
    found: dict[str, Frontend] = {}
    for name, place in FRONTENDS.items():
        module, _, attribute = place.partition(":")
        found[name] = getattr(import_module(module), attribute)()
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda each: each.name):
        made = point.load()()
        if not isinstance(made, Frontend):
            raise UserError(f"entry point {point.name!r} of {ENTRY_POINTS} ({point.value}) is not a frontend")
        found.setdefault(made.name, made)
    return found


def find_frontend(name: str) -> Frontend:
    """Raises UserError with near matches."""
    found = frontends()
    if name not in found:
        near = difflib.get_close_matches(name, found, n=2) or list(found)
        raise UserError(f"no frontend is called {name!r}", hint=f"there are: {', '.join(near)}")
    return found[name]


def frontend_for(sniffed: Sniffed, *, forced: str | None = None) -> Frontend:
    """The frontend that takes this format, or the one the user forced (`framework:PATH`).

    Raises BadModel for a content that is no model, Unsupported for a format that no frontend takes.
    """
    if forced is not None:
        return find_frontend(forced)
    for each in frontends().values():
        if sniffed.format in each.formats:
            return each
    hint = "`dlpipe frontend list` names the formats it takes"
    shown = "the folder" if sniffed.entry == "." else sniffed.entry
    if sniffed.format == "unknown":
        raise BadModel(
            f"{shown} is not a model that dlpipe knows: {sniffed.reason}",
            hint=f"is the download or copy complete? {hint}",
        )
    raise Unsupported(f"{shown} is {sniffed.format}: {sniffed.reason}", hint=hint)

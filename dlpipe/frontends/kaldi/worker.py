"""Kaldi nnet3 -> ONNX, and dlpipe's own interpreter of it. Runs in the core toolchain."""

from __future__ import annotations

from typing import Any

from dlpipe_worker import Request, operation

from ..kit import executing
from . import components, interpreter
from .importing import import_model

# Of Kaldi's nnet-component-itf.cc: what a network for inference can hold.
_OTHERS = {
    "CompositeComponent": None,
    "ConvolutionComponent": "the convolution of before 2017",
    "MaxpoolingComponent": None,
    "DistributeComponent": None,
    "DropoutMaskComponent": None,
    "ConstantComponent": None,
    "OutputGruNonlinearityComponent": None,
    "RestrictedAttentionComponent": None,
}


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, dims."""
    return import_model(request)


@operation
def reference(request: Request) -> dict[str, Any]:
    """source, imported, samples -> outputs.npz. params: entry."""
    return executing.reference(request, interpreter.open_model, kind="own")


@operation
def layers(request: Request) -> dict[str, Any]:
    """source, imported, samples -> layers.npz of sample 0. params: entry."""
    return executing.layers(request, interpreter.open_model)


@operation
def operators(request: Request) -> dict[str, Any]:
    """Which components are covered."""
    del request
    found = {name: {"support": "full", "note": None} for name in components.MAKERS}
    for name in ("StatisticsExtractionComponent", "StatisticsPoolingComponent"):
        found[name] = {"support": "partial", "note": "over the whole utterance"}
    found.update({name: {"support": "none", "note": note} for name, note in _OTHERS.items()})
    return {"operators": found, "source": "the components of Kaldi's nnet3 that a network for inference can hold"}

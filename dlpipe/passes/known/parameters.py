"""What each parameter of the built-in passes means, and which values it takes: for `dlpipe pass show`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dlpipe.contracts.passes import PassInfo


class Parameter(NamedTuple):
    """values: in words, e.g. "0 to 1"."""

    meaning: str
    values: str = ""


_NODES = "names of nodes"
_NODES_OR_OPERATORS = "names of nodes, or operators"
_YES_NO = "true, false"

# Of any pass that has one of that name.
_COMMON: Mapping[str, Parameter] = {
    "agreement": Parameter("share of samples on which the largest class must stay the same; 0: no limit", "0 to 1"),
    "attention_weight": Parameter("weight of the distance of attention maps from the teacher's", "0 or more"),
    "augment": Parameter("pictures are changed at random while training", "list of flip, shift"),
    "batch": Parameter("samples in a step, of all processes together", "1 or more"),
    "batches": Parameter("batches of training data that are looked at", "1 or more"),
    "bits": Parameter("of a stored weight", "4 or 8"),
    "block": Parameter("rows of a column that share a scale", "a power of 2, 16 or more"),
    "cosine": Parameter("of the outputs with the float model's, at least; 0: no limit", "0 to 1"),
    "device": Parameter("where it is trained; auto: a GPU if there is one", "auto, cpu, cuda"),
    "epochs": Parameter("times that all training data are seen", "0 or more"),
    "exclude": Parameter("what stays whole", _NODES),
    "feature_weight": Parameter("weight of the distance of inner values from the teacher's", "0 or more"),
    "features": Parameter(
        "inner values that are pulled towards the teacher's", "auto, or list of names or [student's, teacher's]"
    ),
    "freeze": Parameter("weights that are not trained", "patterns of names"),
    "hard": Parameter("weight of the labels' loss", "0 or more"),
    "holdout": Parameter("share of the training data that is kept apart to choose the best weights by", "0 to below 1"),
    "keep": Parameter("what stays in float", _NODES_OR_OPERATORS),
    "keep_zeros": Parameter("weights that are zero stay zero", _YES_NO),
    "kl": Parameter("divergence of the classes' probabilities in nats, at most; 0: no limit", "0 or more"),
    "least": Parameter("no layer falls below that many channels", "1 or more"),
    "limit": Parameter("nodes that the written-out graph may have", "1 or more"),
    "macs": Parameter("share of the multiply-accumulates that is left", "0 to 1"),
    "minutes": Parameter("a budget of time in place of epochs and steps; 0: none", "0 or more"),
    "multiple": Parameter("channel counts are multiples of it: 8 fills the vectors of AVX2 and NPUs", "1 or more"),
    "norm": Parameter(
        "what batch norms use: a batch's own statistics, or those stored; auto: a batch's, where it is large enough",
        "auto, batch, frozen",
    ),
    "operators": Parameter("whose weights are taken", "MatMul, Gemm, Gather, Conv"),
    "optimizer": Parameter("the steps' rule", "adamw, sgd"),
    "order": Parameter(
        "which layers get 8 bits first: those whose products lose most, or those by which the outputs do",
        "guessed, measured",
    ),
    "parts": Parameter("stages that the training is split into: a killed run goes on behind the last", "1 or more"),
    "patience": Parameter("evaluations without progress after which it ends; 0: never", "0 or more"),
    "pattern": Parameter("n:m keeps n of each m neighbours, whatever sparsity and scope say", "empty, or n:m as 2:4"),
    "processes": Parameter("that train together; 0: one for each GPU, or one", "0 or more"),
    "push": Parameter("how much an undecided rounding counts against the reconstruction", "0 or more"),
    "raise_opset": Parameter("go to the operator set that has the operator, where the model's is older", _YES_NO),
    "rate": Parameter("learning rate at its highest", "0 or more"),
    "samples": Parameter("training samples that are looked at, at most", "1 or more"),
    "scope": Parameter("rank all layers together, or take the same share of each", "global, layer"),
    "seconds": Parameter("after which it is given up, and the model stays as it is", "1 or more"),
    "seed": Parameter("of all that is drawn at random", "a whole number"),
    "soft": Parameter("weight of the teacher's outputs", "0 or more"),
    "sparsity": Parameter("share of the weights that become zero", "between 0 and 1"),
    "sqnr_db": Parameter("signal over noise of the outputs in dB, at least; 0: no limit", "0 or more"),
    "steps": Parameter("of training, in place of epochs; 0: as many as the epochs have", "0 or more"),
    "strength": Parameter("share of an outlier's size that goes into the weights", "0 to 1"),
    "symmetric": Parameter("the range reaches as far below zero as above", _YES_NO),
    "task": Parameter("what the labels are; auto: as they look", "auto, classification, regression, none"),
    "temperature": Parameter("by which the teacher's classes are softened", "above 0"),
    "until": Parameter("share of the training over which the sparsity rises", "between 0 and 1"),
    "version": Parameter("of the standard operator set", "a version that ONNX has"),
    "warmup": Parameter("share of the steps over which the learning rate rises", "0 to below 1"),
    "width": Parameter("share of its channels that each layer keeps, in place of macs; 0: as macs says", "0 to 1"),
    "weight_decay": Parameter("pull of matrices and kernels towards zero", "0 or more"),
}

_OWN: Mapping[tuple[str, str], Parameter] = {
    ("adaround", "steps"): Parameter("for each layer", "1 or more"),
    ("adaround", "batch"): Parameter("samples in a step at most; fewer where outputs are large", "1 or more"),
    ("decompose", "operators"): Parameter("that are written out", "operators that it knows"),
    ("extract", "inputs"): Parameter("where the part begins", "names of values"),
    ("extract", "outputs"): Parameter("where the part ends", "names of values"),
    ("mixed-precision", "format"): Parameter("the short float", "fp16, bf16"),
    ("prune-channels", "criterion"): Parameter("by which channels are ranked: size of their weights", "l1, l2"),
    ("prune-channels-by-data", "criterion"): Parameter(
        "by which channels are ranked: change of the loss without them, or mean size", "taylor, activation"
    ),
    ("quantize-dynamic", "weights"): Parameter(
        "their format; int7 for x86 without VNNI, whose sums would overflow", "int8, int7"
    ),
    ("quantize-int8", "activations"): Parameter("their format", "uint8, int8"),
    ("quantize-int8", "correct_bias"): Parameter("make up in biases for what rounding shifts, if that helps", _YES_NO),
    ("quantize-int8", "method"): Parameter(
        "how ranges are found; mean: of the samples' own ends; auto: each but mean is tried on the samples",
        "auto, minmax, percentile, entropy, mse, mean",
    ),
    ("quantize-int8", "only"): Parameter("just these are quantised; empty: all that can be", "operators"),
    ("quantize-int8", "per_channel"): Parameter("a scale for each output channel of weights", _YES_NO),
    ("quantize-int8", "percentile"): Parameter("share of the values inside a range, in %", "50 to 100"),
    ("quantize-int8", "smooth"): Parameter("move outliers into weights first (SmoothQuant), if that helps", _YES_NO),
    ("quantize-int8", "weights"): Parameter(
        "their format; int7 for x86 without VNNI, whose sums would overflow", "int8, int7"
    ),
    ("quantize-int8", "whole"): Parameter("round whatever can be: for processors without floats", _YES_NO),
    ("quantize-int8", "zero_points"): Parameter("zero may be any level; else it is level 0", _YES_NO),
}
_METHOD = Parameter("how weights are rounded: to the nearest, or after a search for the zero points", "rtn, hqq")


def explained(info: PassInfo) -> dict[str, Parameter]:
    """Of each parameter of that pass; empty words for those of other packages that say nothing of theirs."""
    return {name: _of(info, name) for name in info.defaults}


def _of(info: PassInfo, name: str) -> Parameter:
    if name in info.explained:
        return Parameter(*info.explained[name])
    if name == "method" and info.name.startswith("quantize-weights"):
        return _METHOD
    return _OWN.get((info.name, name)) or _COMMON.get(name) or Parameter("")

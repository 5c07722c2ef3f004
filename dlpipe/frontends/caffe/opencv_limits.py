"""What OpenCV 4.14 reads and computes otherwise than Caffe: each was seen, and tests/frontends/caffe holds it.

It knows the defaults of the prototxt for few fields: those that it has others for must be given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import schema
from .net import Layer


def departs(each: Layer) -> str | None:
    """Why OpenCV cannot be trusted with the layer, or None."""
    for table, reason, differs in _CHECKS.get(each.type, ()):
        given = each.message.message(table)
        if differs(schema.read(given, table, each.name, each.type), set(given), each):
            return reason
    return None


Check = tuple[str, str, Callable[[Any, set[str], Layer], bool]]
_LRN = {"local_size", "alpha", "beta"}
_CHECKS: dict[str, tuple[Check, ...]] = {
    "Axpy": (("power_param", "computes something else for Axpy", lambda *_: True),),
    "BatchNorm": (("batch_norm_param", "has another order of weights for scale_bias", lambda p, *_: p.scale_bias),),
    "BN": (("bn_param", "has no such layer", lambda *_: True),),
    "Deconvolution": (
        (
            "convolution_param",
            "passes over the dilation of a deconvolution",
            lambda p, *_: any(each != 1 for each in p.dilation),
        ),
    ),
    "Dropout": (("dropout_param", "does not scale at test time", lambda p, *_: not p.scale_train),),
    "InnerProduct": (("inner_product_param", "passes over `transpose`", lambda p, *_: bool(p.transpose)),),
    "Interp": (("interp_param", "passes over the cropping of Interp", lambda p, *_: bool(p.pad_beg or p.pad_end)),),
    "LRN": (
        ("lrn_param", "passes over `k` of LRN", lambda p, *_: p.k != 1),
        ("lrn_param", "has other defaults for LRN", lambda _, given, __: not given >= _LRN),
    ),
    "Log": (("log_param", "passes over the parameters of Log", lambda *_: True),),
    "MVN": (("mvn_param", "adds epsilon elsewhere", lambda p, *_: p.eps > 1e-8),),
    "PriorBox": (("prior_box_param", "clips unless told not to", lambda _, given, __: "clip" not in given),),
    "Scale": (
        (
            "scale_param",
            "adds something else for a bias where the factor is a blob",
            lambda p, _, each: len(each.bottoms) == 2 and p.bias_term,
        ),
    ),
    "Swish": (("swish_param", "passes over `beta` of Swish", lambda p, *_: p.beta != 1),),
}

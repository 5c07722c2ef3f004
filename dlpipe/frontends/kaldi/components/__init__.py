"""The components of nnet3, by the name that the file gives them."""

from __future__ import annotations

import numpy as np
from dlpipe_worker import Refused

from ..reading import Component
from . import elementwise, grouped, linear, recurrent
from .function import Function, Maker, sigmoid, times

__all__ = ["MAKERS", "Function", "function", "times"]


def function(component: Component, in_dim: int) -> Function:
    """Raises Refused for a component that is not known, or that takes another number of inputs."""
    maker = MAKERS.get(component.kind)
    if maker is None:
        raise Refused(
            f"the component {component.kind} is not handled", "unsupported", node=component.name, op=component.kind
        )
    return maker(component, in_dim)


MAKERS: dict[str, Maker] = {
    **dict.fromkeys(
        (
            "AffineComponent",
            "NaturalGradientAffineComponent",
            "FixedAffineComponent",
            "LinearComponent",
            "TdnnComponent",
        ),
        linear.affine,
    ),
    "BlockAffineComponent": linear.blocks,
    "RepeatedAffineComponent": linear.blocks,
    "NaturalGradientRepeatedAffineComponent": linear.blocks,
    "TimeHeightConvolutionComponent": linear.time_height,
    "FixedScaleComponent": elementwise.scales("Scales"),
    "FixedBiasComponent": elementwise.offsets("Bias"),
    "PerElementScaleComponent": elementwise.scales("Params"),
    "NaturalGradientPerElementScaleComponent": elementwise.scales("Params"),
    "PerElementOffsetComponent": elementwise.offsets("Offsets"),
    "ScaleAndOffsetComponent": elementwise.scale_and_offset,
    "BatchNormComponent": elementwise.batch_norm,
    "NormalizeComponent": grouped.normalize,
    "RectifiedLinearComponent": elementwise.unary("Relu", lambda x: np.maximum(x, 0)),
    "SigmoidComponent": elementwise.unary("Sigmoid", sigmoid),
    "TanhComponent": elementwise.unary("Tanh", np.tanh),
    "SoftmaxComponent": elementwise.unary("Softmax", elementwise.softmax, elementwise.SOFTMAX_FLOOR, axis=1),
    "LogSoftmaxComponent": elementwise.unary("LogSoftmax", elementwise.log_softmax, axis=1),
    "PnormComponent": grouped.pnorm,
    "ElementwiseProductComponent": grouped.over_parts("product", "ReduceProd", lambda parts: parts.prod(0)),
    "SumBlockComponent": grouped.over_parts("sum", "ReduceSum", lambda parts: parts.sum(0)),
    "SumGroupComponent": linear.sum_group,
    "PermuteComponent": linear.permute,
    "LstmNonlinearityComponent": recurrent.lstm,
    "GruNonlinearityComponent": recurrent.gru,
    "ConstantFunctionComponent": linear.constant,
    "BackpropTruncationComponent": elementwise.truncation,
    **dict.fromkeys(
        (
            "NoOpComponent",
            "ClipGradientComponent",
            "DropoutComponent",
            "GeneralDropoutComponent",
            "SpecAugmentTimeMaskComponent",
        ),
        elementwise.identity,
    ),
}

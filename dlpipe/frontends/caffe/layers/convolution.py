"""Convolutions over any number of spatial axes."""

from __future__ import annotations

from typing import Any

from ..step import Step, layer


def window(step: Step, params: Any, spatial: int) -> tuple[list[int], list[int], list[int]]:
    """Kernel, stride and padding per spatial axis. Raises Refused for one that no layer can have."""
    kernel = _each(step, params, "kernel_size", "kernel", spatial, None)
    stride = _each(step, params, "stride", "stride", spatial, 1)
    pad = _each(step, params, "pad", "pad", spatial, 0)
    if min(kernel) < 1 or min(stride) < 1 or min(pad) < 0:
        step.fail(f"kernel {kernel}, stride {stride}, padding {pad}")
    return kernel, stride, pad


def _each(step: Step, params: Any, name: str, prefix: str, spatial: int, default: int | None) -> list[int]:
    height, width = getattr(params, f"{prefix}_h"), getattr(params, f"{prefix}_w")
    given = getattr(params, name)
    if height is not None or width is not None:
        if spatial != 2 or (default is None and (height is None or width is None)):
            step.fail(f"{prefix}_h and {prefix}_w do not fit a blob with {spatial} spatial axes")
        fallback = default or 0
        return [fallback if each is None else each for each in (height, width)]
    values = given if isinstance(given, list) else [] if given is None else [given]
    if not values:
        if default is None:
            step.fail(f"it has no {name}")
        values = [default]
    if len(values) not in (1, spatial):
        step.fail(f"{name} is given {len(values)} times for {spatial} spatial axes")
    return list(values) * (spatial if len(values) == 1 else 1)


@layer("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution", limits="channel axis 1 only")
def convolution(step: Step) -> None:
    _convolve(step, transposed=False)


@layer("Deconvolution", limits="channel axis 1 only")
def deconvolution(step: Step) -> None:
    _convolve(step, transposed=True)


def _convolve(step: Step, transposed: bool) -> None:
    """One kernel for every bottom: Caffe's convolution takes several."""
    count = len(step.inputs)
    step.expect((1, 64), count)
    params = step.params("convolution_param")
    spatial = step.rank() - 2
    if spatial < 1 or step.axis(params.axis, step.rank()) != 1:
        step.fail("its channels are not axis 1", "unsupported")
    kernel, stride, pad = window(step, params, spatial)
    dilation = params.dilation or [1]
    dilation = dilation * (spatial if len(dilation) == 1 else 1)
    if len(dilation) != spatial or min(dilation) < 1:
        step.fail(f"dilation {dilation} for {spatial} spatial axes")
    channels, outputs = step.shapes[0][1], params.num_output
    depthwise = step.layer.type in ("ConvolutionDepthwise", "DepthwiseConvolution")
    group = channels if depthwise else params.group
    if group < 1 or outputs < 1 or channels % group or outputs % group:
        step.fail(f"{channels} channels and {outputs} outputs in {group} groups")
    shape = [channels, outputs // group] if transposed else [outputs, channels // group]
    weights = [step.constant(step.blob(0, [*shape, *kernel]), "weight")]
    if params.bias_term:
        weights.append(step.constant(step.blob(1, [outputs]), "bias"))
    for index, size in enumerate(step.shapes):
        if len(size) != spatial + 2 or size[1] != channels:
            step.fail("its bottoms have different shapes")
        made = []
        for axis in range(spatial):
            extent = dilation[axis] * (kernel[axis] - 1) + 1
            if transposed:
                made.append(stride[axis] * (size[2 + axis] - 1) + extent - 2 * pad[axis])
            else:
                made.append((size[2 + axis] + 2 * pad[axis] - extent) // stride[axis] + 1)
        step.out(
            "ConvTranspose" if transposed else "Conv",
            [step.inputs[index], *weights],
            [size[0], outputs, *made],
            index,
            kernel_shape=kernel,
            strides=stride,
            pads=pad * 2,
            dilations=dilation,
            group=group,
        )

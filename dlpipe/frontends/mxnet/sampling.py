"""Reading an image between its pixels: resizing, grids, regions."""

from __future__ import annotations

import numpy as np
from dlpipe_worker import Refused

from .handlers import Layer, handles
from .net import Net


@handles("_contrib_BilinearResize2D")
def bilinear_resize(net: Net, layer: Layer) -> str:
    a, data = layer.attributes, layer.inputs[0]
    mode = a.choice("mode", "size", "like", default="size")
    size = (a.whole("height", 1), a.whole("width", 1))
    if "scale_height" in a or "scale_width" in a:
        scales = a.real("scale_height", 1.0), a.real("scale_width", 1.0)
        size = (int(net.size(data, 2) * scales[0]), int(net.size(data, 3) * scales[1]))
    if mode == "like":
        size = (net.size(layer.inputs[1], 2), net.size(layer.inputs[1], 3))
    if min(size) < 1:
        raise Refused(f"an image of {size[0]} x {size[1]}")
    where = "align_corners" if a.flag("align_corners", True) else "half_pixel"
    whole = net.shape(data)[:2]
    if all(isinstance(dim, int) for dim in whole):
        target = net.ints(*(dim for dim in whole if isinstance(dim, int)), *size)
    else:
        target = net.add("Concat", net.slice(net.add("Shape", data), 0, 0, 2), net.ints(*size), axis=0)
    made = net.add("Resize", data, "", "", target, mode="linear", coordinate_transformation_mode=where)
    return net.know(made, [*whole, *size])


@handles("BilinearSampler")
def bilinear_sampler(net: Net, layer: Layer) -> str:
    """The grid has x and y on axis 1; what lies outside is 0."""
    layer.attributes.ignore("cudnn_off")
    return _sample(net, *layer.inputs)


def _sample(net: Net, data: str, grid: str) -> str:
    turned = net.transpose(grid, [0, 2, 3, 1])
    return net.add("GridSample", data, turned, mode="bilinear", padding_mode="zeros", align_corners=1)


@handles("GridGenerator")
def grid_generator(net: Net, layer: Layer) -> str:
    a = layer.attributes
    kind, target = a.choice("transform_type", "affine", "warp"), a.dims("target_shape", (0, 0))
    if kind == "affine":
        return _affine(net, layer.inputs[0], target)
    flow = layer.inputs[0]
    height, width = net.size(flow, 2), net.size(flow, 3)
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    moved = net.add("Add", flow, net.constant(np.stack([columns, rows])[None].astype(net.dtype(flow))))
    half = np.asarray([(width - 1) / 2, (height - 1) / 2], net.dtype(flow)).reshape(1, 2, 1, 1)
    return net.add("Sub", net.add("Div", moved, net.constant(half)), net.like(1.0, flow))


def _affine(net: Net, matrix: str, target: tuple[int, ...]) -> str:
    """(N, 6) -> (N, 2, H, W): where each target pixel, in -1 to 1, comes from."""
    height, width = target
    if not (0 < height < 1 << 14 and 0 < width < 1 << 14):
        raise Refused(f"target_shape {target}")
    across = np.linspace(-1, 1, width) if width > 1 else np.array([-1.0])
    down = np.linspace(-1, 1, height) if height > 1 else np.array([-1.0])
    places = np.stack([np.tile(across, height), np.repeat(down, width), np.ones(height * width)])
    matrix = net.reshape(matrix, [[0], 2, 3])
    made = net.add("MatMul", matrix, net.constant(places.astype(net.dtype(matrix))))
    return net.reshape(made, [[0], 2, height, width])


@handles("SpatialTransformer")
def spatial_transformer(net: Net, layer: Layer) -> str:
    a = layer.attributes
    a.ignore("cudnn_off")
    a.choice("transform_type", "affine")
    a.choice("sampler_type", "bilinear")
    data, matrix = layer.inputs
    return _sample(net, data, _affine(net, matrix, a.dims("target_shape", (0, 0))))


@handles("ROIPooling")
def roi_pooling(net: Net, layer: Layer) -> str:
    a = layer.attributes
    size, scale = a.dims("pooled_size"), a.real("spatial_scale")
    return net.add("MaxRoiPool", *layer.inputs, pooled_shape=list(size), spatial_scale=scale)


@handles("_contrib_ROIAlign", note="position_sensitive is refused")
def roi_align(net: Net, layer: Layer) -> str:
    a = layer.attributes
    if a.flag("position_sensitive"):
        raise Refused("position_sensitive is not supported", kind="unsupported")
    data, rois = layer.inputs
    height, width = a.dims("pooled_size")
    image = net.squeeze(net.cast(net.slice(rois, 1, 0, 1), np.int64), 1)
    return net.add(
        "RoiAlign",
        data,
        net.slice(rois, 1, 1, 5),
        image,
        output_height=height,
        output_width=width,
        sampling_ratio=max(a.whole("sample_ratio", -1), 0),
        spatial_scale=a.real("spatial_scale"),
        coordinate_transformation_mode="half_pixel" if a.flag("aligned") else "output_half_pixel",
    )

"""Pooling of regions (Fast R-CNN)."""

from __future__ import annotations

from ..step import Step, layer, number


@layer("ROIPooling")
def roi_pooling(step: Step) -> None:
    step.expect(2)
    params = step.params("roi_pooling_param")
    step.rank(4)
    rois = step.shapes[1]
    if (
        params.pooled_h < 1
        or params.pooled_w < 1
        or len(rois) not in (2, 4)
        or rois[1] != 5
        or rois[2:] not in ([], [1, 1])
    ):
        step.fail(f"regions of the shape {rois} to {params.pooled_h} x {params.pooled_w}")
    count = number(rois[0])
    value = step.inputs[1] if len(rois) == 2 else step.reshape(step.inputs[1], rois, [count, 5], None)
    step.out(
        "MaxRoiPool",
        [step.inputs[0], value],
        [count, step.shapes[0][1], params.pooled_h, params.pooled_w],
        pooled_shape=[params.pooled_h, params.pooled_w],
        spatial_scale=params.spatial_scale,
    )

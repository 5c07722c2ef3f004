"""Between space and channels."""

from __future__ import annotations

from ..step import Step, layer


@layer("PixelShuffle")
def _pixel_shuffle(step: Step) -> None:
    step.expect()
    step.rank(3)
    factor, mode = step.layer.integer(0, 1), step.layer.integer(1)
    if factor < 1 or mode not in (0, 1):
        step.fail(f"its factor is {factor}, its mode {mode}")
    step.out("DepthToSpace", [step.value], blocksize=factor, mode="DCR" if mode else "CRD")


@layer("Reorg")
def _reorg(step: Step) -> None:
    step.expect()
    step.rank(3)
    stride, mode = step.layer.integer(0, 1), step.layer.integer(1)
    channels, height, width = (step.size(each) for each in step.shape())
    if stride < 1 or mode not in (0, 1) or height % stride or width % stride:
        step.fail(f"its stride is {stride}, its mode {mode}")
    if mode == 1:
        step.out("SpaceToDepth", [step.value], blocksize=stride)
        return
    parts = step.reshape(step.value, [channels, height // stride, stride, width // stride, stride])
    turned = step.node("Transpose", [parts], perm=[0, 1, 3, 5, 2, 4])
    step.name_top(step.reshape(turned, [channels * stride * stride, height // stride, width // stride]))


@layer("ShuffleChannel")
def _shuffle_channel(step: Step) -> None:
    step.expect()
    step.rank(3)
    groups, back = step.layer.integer(0, 1), step.layer.integer(1)
    channels = step.channels()
    if groups < 1 or channels % groups:
        step.fail(f"{channels} channels in {groups} groups")
    rows = channels // groups if back else groups
    shape = [step.dim(step.value, axis) for axis in (1, 2)]
    parts = step.reshape(step.value, [rows, channels // rows, *shape])
    step.name_top(step.reshape(step.node("Transpose", [parts], perm=[0, 2, 1, 3, 4]), [channels, *shape]))

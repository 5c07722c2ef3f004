"""Pooling."""

from __future__ import annotations

from ..step import Step, operator

_CAFFE, _VALID, _SAME = 0, 1, 2
_INCLUDE, _EXCLUDE = 1, 2


@operator("Pooling")
def _pooling(step: Step) -> None:
    step.expect()
    table = step.op.table("Pool")
    shape = step.image()
    kind = int(table.number(7, "int8"))
    if kind not in (0, 1):
        step.fail(f"its kind is {kind}")
    if table.number(2, "bool", False):
        step.out("GlobalAveragePool" if kind else "GlobalMaxPool", [step.value])
        return
    kernel = [int(table.number(slot, "int32")) for slot in (4, 3)]
    stride = [int(table.number(slot, "int32")) for slot in (6, 5)]
    y, x = int(table.number(1, "int32")), int(table.number(0, "int32"))
    listed = [int(each) for each in table.array(11, "int32")]
    mode, ceil, counting = (int(table.number(8, "int8")), bool(table.number(10, "bool", True)),
                            int(table.number(12, "int8")))  # fmt: skip
    pads = listed if len(listed) == 4 else [y, x, y, x]
    if min(*kernel, *stride) < 1 or min(pads) < 0 or mode not in (_CAFFE, _VALID, _SAME) or len(listed) not in (0, 4):
        step.unsupported(f"its kernel is {kernel}, its stride {stride}, its padding {pads} in the mode {mode}")
    include = counting == _INCLUDE or (counting == 0 and mode == _CAFFE and not listed)  # as MNN takes it
    for axis in range(2):
        size = shape[2 + axis]
        if isinstance(size, int):
            kernel[axis] = min(kernel[axis], size + pads[axis] + pads[2 + axis])
    how = {"kernel_shape": kernel, "strides": stride}
    if mode == _SAME:
        step.out("AveragePool" if kind else "MaxPool", [step.value], auto_pad="SAME_UPPER", **how)
        return
    rounding = int(ceil and mode == _CAFFE and max(stride) > 1)
    if kind:
        step.out("AveragePool", [step.value], pads=pads, ceil_mode=rounding, count_include_pad=int(include), **how)
    else:
        step.out("MaxPool", [step.value], pads=pads, ceil_mode=rounding, **how)


@operator("Pooling3D", limits="only over everything, as newer converters write it")
def _pooling_3d(step: Step) -> None:
    step.expect()
    table = step.op.table("Pool3D")
    kind = int(table.number(3, "int8"))
    if kind not in (0, 1) or not table.number(5, "bool", False) or step.format == 1:
        step.unsupported("it pools over windows")
    step.out("GlobalAveragePool" if kind else "GlobalMaxPool", [step.value])

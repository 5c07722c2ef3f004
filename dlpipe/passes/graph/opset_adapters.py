"""How what an operator says in a later set is said in an earlier one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from .opset_rewriting import (
    Adapter,
    Lowered,
    cast_like,
    gemm,
    given,
    pad,
    resize_asymmetric,
    resize_half_pixel_symmetric,
    resize_with_all_inputs,
    shape_part,
    softmax,
    split_evenly,
    value_of,
)

# Attributes that came later, have no default, and say nothing with such a value.
HARMLESS: dict[str, Callable[[Any], bool]] = {"dilations": lambda value: all(each == 1 for each in value)}


def _inputs_to_attributes(*names: str, scalars: Sequence[str] = (), floats: Sequence[str] = ()) -> Adapter:
    """The inputs from the second on become attributes of these names. They must be stored."""

    def adapt(node: ir.Node) -> Lowered:
        found = {}
        for index, name in enumerate(names, 1):
            value = given(node, index)
            array = value_of(value)
            if value is not None and array is None:
                return Lowered(refusal=f"{name} is computed when the model runs")
            if array is not None:
                found[name] = array.reshape(-1).tolist()
        node.resize_inputs(1)
        for name, numbers in found.items():
            if name in floats:
                node.attributes[name] = ir.AttrFloat32(name, float(numbers[0]))
            elif name in scalars:
                node.attributes[name] = ir.AttrInt64(name, int(numbers[0]))
            else:
                node.attributes[name] = ir.AttrInt64s(name, [int(number) for number in numbers])
        return Lowered(f"{', '.join(found)} as attributes" if found else None)

    return adapt


_axes = _inputs_to_attributes("axes")


def _reduce(node: ir.Node) -> Lowered:
    if node.attributes.get_int("noop_with_empty_axes", 0) and given(node, 1) is None:
        return Lowered(refusal="without axes it does nothing, and reduced all of them before")
    array = value_of(given(node, 1))
    if array is not None and array.size == 0:  # no axes are all axes
        if node.attributes.get_int("noop_with_empty_axes", 0):
            return Lowered(refusal="without axes it does nothing, and reduced all of them before")
        node.resize_inputs(1)
    node.attributes.pop("noop_with_empty_axes", None)
    return _axes(node)


def _slice(node: ir.Node) -> Lowered:
    steps = value_of(given(node, 4))
    if given(node, 4) is not None and (steps is None or np.any(steps != 1)):
        return Lowered(refusal="it goes in steps, or these are computed when the model runs")
    node.resize_inputs(min(4, len(node.inputs)))
    return _inputs_to_attributes("starts", "ends", "axes")(node)


def _top_k(node: ir.Node) -> Lowered:
    if not node.attributes.get_int("largest", 1):
        return Lowered(refusal="it takes the smallest")
    node.attributes.pop("largest", None)
    node.attributes.pop("sorted", None)  # sorted is one of the orders that unsorted allows
    return Lowered()


def _dropout(node: ir.Node) -> Lowered:
    if len(node.outputs) > 1 and (node.outputs[1].uses() or node.outputs[1].is_graph_output()):
        return Lowered(refusal="something reads its mask, which was not defined for inference before set 12")
    training = value_of(given(node, 2))
    if given(node, 2) is not None and (training is None or bool(training)):
        return Lowered(refusal="it may drop something")
    node.attributes.pop("seed", None)
    node.resize_inputs(min(2, len(node.inputs)))
    return _inputs_to_attributes("ratio", floats=("ratio",))(node)


def _reshape(node: ir.Node) -> Lowered:
    target = value_of(given(node, 1))
    if node.attributes.get_int("allowzero", 0) and (target is None or np.any(target == 0)):
        return Lowered(refusal="a 0 in its shape may mean no elements")
    node.attributes.pop("allowzero", None)
    return Lowered()


def _constant(node: ir.Node) -> Lowered:
    """Numbers and texts as such: a tensor before set 12."""
    for name in [each for each in node.attributes if each.startswith("value_")]:
        held = node.attributes.pop(name).value
        kind = np.int64 if "int" in name else np.float32 if "float" in name else np.bytes_
        node.attributes["value"] = ir.AttrTensor("value", ir.tensor(np.asarray(held, kind)))
    return Lowered()


def _grid_sample(node: ir.Node) -> Lowered:
    older = {"linear": "bilinear", "cubic": "bicubic"}
    mode = node.attributes.get_string("mode", "linear")
    node.attributes["mode"] = ir.AttrString("mode", older.get(mode, mode))
    return Lowered()


def _roi_align(node: ir.Node) -> Lowered:
    if node.attributes.get_string("coordinate_transformation_mode", "half_pixel") != "output_half_pixel":
        return Lowered(refusal="before set 16 it did not shift by half a pixel")
    del node.attributes["coordinate_transformation_mode"]
    return Lowered()


def _per_tensor(node: ir.Node) -> Lowered:
    """An axis says nothing where there is one scale."""
    scale = node.inputs[1]
    if scale is None or scale.shape is None or len(scale.shape) != 0:
        return Lowered(refusal="before set 13 there was one scale for all of a tensor")
    node.attributes.pop("axis", None)
    return Lowered()


def _same_shapes_only(node: ir.Node) -> Lowered:
    shapes = [value.shape for value in node.inputs if value is not None]
    if any(shape is None or shape != shapes[0] for shape in shapes):
        return Lowered(refusal="before set 8 its inputs were not broadcast")
    return Lowered()


def _never(why: str) -> Adapter:
    return lambda _node: Lowered(refusal=why)


# (operator, the set that brought the later form) -> what says it in the form before.
ADAPTERS: dict[tuple[str, int | None], Adapter] = {
    **{(op, 13): _axes for op in ("Squeeze", "Unsqueeze")},
    ("ReduceSum", 13): _reduce,
    **{
        (f"Reduce{kind}", 18): _reduce
        for kind in ("Max", "Min", "Mean", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
    },
    **{(op, 13): softmax for op in ("Softmax", "LogSoftmax", "Hardmax")},
    ("Split", 18): split_evenly,
    ("Split", 13): _inputs_to_attributes("split"),
    ("Clip", 11): _inputs_to_attributes("min", "max", floats=("min", "max")),
    ("Pad", 18): pad,
    ("Pad", 11): _inputs_to_attributes("pads", "value", floats=("value",)),
    ("Slice", 10): _slice,
    ("TopK", 11): _top_k,
    ("TopK", 10): _inputs_to_attributes("k", scalars=("k",)),
    ("Dropout", 12): _dropout,
    ("Reshape", 14): _reshape,
    ("Gemm", 11): gemm,
    ("Shape", 15): shape_part,
    ("Constant", 12): _constant,
    ("GridSample", 20): _grid_sample,
    ("RoiAlign", 16): _roi_align,
    **{(op, 13): _per_tensor for op in ("QuantizeLinear", "DequantizeLinear")},
    ("Resize", 19): resize_half_pixel_symmetric,
    ("Resize", 13): resize_with_all_inputs,
    ("Resize", 11): resize_asymmetric,
    **{(op, 8): _same_shapes_only for op in ("Max", "Min", "Mean", "Sum")},
    ("CastLike", None): cast_like,
    ("Scan", 9): _never("before set 9 it went round once per item of the batch"),
}

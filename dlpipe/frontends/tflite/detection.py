"""TFLite_Detection_PostProcess, the custom operator that ends SSD models: boxes from anchors, then non-maximum
suppression. Where fewer objects are found than there is room for, the rest is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .flexbuffer import numbers
from .handlers import handles
from .reading import Operator, Subgraph
from .scope import Scope

NAME = "TFLite_Detection_PostProcess"
_NEEDED = (
    *("max_detections", "num_classes", "nms_score_threshold", "nms_iou_threshold"),
    *("y_scale", "x_scale", "h_scale", "w_scale"),
)
_FLOAT = 1  # ONNX number of the type


def shaped(subgraph: Subgraph) -> Subgraph:
    """With the shapes of the operator's outputs, which files leave out."""
    tensors = list(subgraph.tensors)
    for op in subgraph.operators:
        if op.op == NAME and len(op.outputs) == 4:
            most = int(numbers(op.custom_options).get("max_detections", 0))
            for index, shape in zip(op.outputs, ((1, most, 4), (1, most), (1, most), (1,)), strict=True):
                if index >= 0:
                    tensors[index] = replace(tensors[index], shape=shape)
    return replace(subgraph, tensors=tuple(tensors))


@handles(NAME, note="several classes per box are refused where one suppression serves all classes")
def detection_post_process(scope: Scope, op: Operator) -> None:
    """Inputs: box codes [1, n, 4] as (y, x, height, width), scores [1, n, classes (+ background)], anchors [n, 4]."""
    options = numbers(op.custom_options)
    if missing := [each for each in _NEEDED if each not in options]:
        raise op.refuse(f"lacks the option {missing[0]}")
    if len(op.inputs) != 3 or len(op.outputs) != 4:
        raise op.refuse("has not three inputs and four outputs")
    if not 0 < options["max_detections"] <= 1 << 16:
        raise op.refuse(f"has room for {options['max_detections']:g} objects")
    boxes = _boxes(scope, op, options)
    scores = _scores(scope, op, int(options["num_classes"]))
    if options.get("use_regular_nms"):
        found = _per_class(scope, op, options, boxes, scores)
    else:
        found = _over_all(scope, op, options, boxes, scores)
    _outputs(scope, op, int(options["max_detections"]), boxes, *found)


def _boxes(scope: Scope, op: Operator, options: Mapping[str, float]) -> str:
    """[1, n, 4] as (top, left, bottom, right)."""
    name, rest = scope.name(op.outputs[0]), scope.name(op.outputs[0])
    scales = [options[f"{each}_scale"] for each in "yxhw"]
    codes = scope.node("Div", [scope.real(op.inputs[0]), scope.const(scales, f"{rest}__scales", "float32")], name)
    anchors = scope.real(op.inputs[2])

    def half(value: str, axis: int, first: int) -> str:
        bounds = [scope.const([each], f"{name}__slice", "int64") for each in (first, first + 2, axis)]
        return scope.node("Slice", [value, *bounds], name)

    sizes = half(anchors, 1, 2)
    centres = scope.node("Add", [scope.node("Mul", [half(codes, 2, 0), sizes], name), half(anchors, 1, 0)], name)
    extents = scope.node("Mul", [scope.node("Exp", [half(codes, 2, 2)], name), sizes], name)
    extents = scope.node("Mul", [extents, scope.const(0.5, f"{name}__half", "float32")], name)
    corners = [scope.node(each, [centres, extents], name) for each in ("Sub", "Add")]
    return scope.node("Concat", corners, name, axis=2)


def _scores(scope: Scope, op: Operator, classes: int) -> str:
    """[1, n, classes]: without the background, which comes first."""
    given = scope.tensor(op.inputs[1]).shape[-1]
    if given is None or not 0 <= given - classes <= 1:
        raise op.refuse(f"has {given} scores for {classes} classes")
    value, name = scope.real(op.inputs[1]), scope.name(op.outputs[2])
    if given == classes:
        return value
    bounds = [scope.const([each], f"{name}__slice", "int64") for each in (1, given, 2)]
    return scope.node("Slice", [value, *bounds], name)


def _over_all(
    scope: Scope, op: Operator, options: Mapping[str, float], boxes: str, scores: str
) -> tuple[str, str, str]:
    """Each box has its best class alone: (boxes, classes, scores), each [found], in falling order of the scores."""
    if int(options.get("max_classes_per_detection", 1)) != 1:
        raise op.refuse(f"gives {options['max_classes_per_detection']:g} classes for each box")
    name = scope.name(op.outputs[0])
    axes = scope.const([2], f"{name}__axis", "int64")
    best = scope.node("ReduceMax", [scores, axes], name, keepdims=0)  # [1, n]
    kinds = scope.node("ArgMax", [scores], name, axis=2, keepdims=0)
    per_class = scope.node("Unsqueeze", [best, scope.const([1], f"{name}__one", "int64")], name)
    chosen = _suppressed(scope, options, name, boxes, per_class, options["max_detections"])
    which = scope.node("Gather", [chosen, scope.const(2, f"{name}__box", "int64")], name, axis=1)
    rows = [scope.node("Squeeze", [each, scope.const([0], f"{name}__batch", "int64")], name) for each in (kinds, best)]
    kind, score = (scope.node("Gather", [row, which], name) for row in rows)
    return which, kind, score


def _per_class(
    scope: Scope, op: Operator, options: Mapping[str, float], boxes: str, scores: str
) -> tuple[str, str, str]:
    """Suppression within each class; then the best of all."""
    name = scope.name(op.outputs[0])
    turned = scope.node("Transpose", [scores], name, perm=[0, 2, 1])
    chosen = _suppressed(scope, options, name, boxes, turned, options.get("detections_per_class", 100))
    values = scope.node("GatherND", [turned, chosen], name)
    room = scope.const([int(options["max_detections"])], f"{name}__room", "int64")
    count = scope.node("Min", [scope.node("Shape", [values], name), room], name)
    top, places = scope.graph.fresh(f"{name}__top"), scope.graph.fresh(f"{name}__places")
    scope.graph.node("TopK", [values, count], [top, places], name=name, axis=0)
    kept = scope.node("Gather", [chosen, places], name)
    columns = [
        scope.node("Gather", [kept, scope.const(each, f"{name}__column", "int64")], name, axis=1) for each in (2, 1)
    ]
    return columns[0], columns[1], top


def _suppressed(scope: Scope, options: Mapping[str, float], name: str, boxes: str, scores: str, most: float) -> str:
    """Rows of (batch, class, box)."""
    limits = [
        scope.const([int(most)], f"{name}__most", "int64"),
        scope.const([options["nms_iou_threshold"]], f"{name}__overlap", "float32"),
        scope.const([options["nms_score_threshold"]], f"{name}__score", "float32"),
    ]
    return scope.node("NonMaxSuppression", [boxes, scores, *limits], name)


def _outputs(scope: Scope, op: Operator, most: int, boxes: str, which: str, kinds: str, scores: str) -> None:
    name = scope.name(op.outputs[0])
    rows = scope.node("Squeeze", [boxes, scope.const([0], f"{name}__batch", "int64")], name)
    picked = scope.node("Gather", [rows, which], name)
    numbers_ = scope.node("Cast", [kinds], name, to=_FLOAT)
    for index, value, shape in (
        (op.outputs[0], picked, (most, 4)),
        (op.outputs[1], numbers_, (most,)),
        (op.outputs[2], scores, (most,)),
    ):
        filled = scope.node(
            "Concat",
            [value, scope.const([0.0] * most if len(shape) == 1 else [[0.0] * 4] * most, f"{name}__empty", "float32")],
            name,
            axis=0,
        )
        bounds = [scope.const([each], f"{name}__bound", "int64") for each in (0, most, 0)]
        held = scope.node("Slice", [filled, *bounds], name)
        scope.result(index, "Unsqueeze", [held, scope.const([0], f"{name}__batch", "int64")])
    scope.result(op.outputs[3], "Cast", [scope.node("Shape", [which], name)], to=_FLOAT)

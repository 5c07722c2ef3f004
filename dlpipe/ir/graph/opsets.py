"""Models of an old or a very new operator set, brought to one that ONNX Runtime executes."""

from typing import Any

import onnx
import onnx.inliner
from dlpipe_worker import Refused

from . import checking, first_sets, kernels, walk, writing

OLDEST = 7  # ONNX Runtime executes from here on
MODERN = 13  # what old models become: the set that the passes are written for
CLIP_WITH_INPUTS = 11
_CONVERTER_SAYS = (
    onnx.version_converter.ConvertError,
    onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
    RuntimeError,
    ValueError,
    IndexError,
)


def is_foreign(model: Any) -> bool:
    return not OLDEST <= writing.version(model) <= _newest(model)


def _newest(model: Any) -> int:
    return kernels.newest_set(model, writing.version(model))


def bring(model: Any, *, least: int = OLDEST) -> tuple[Any, str | None]:
    """The model in a set, `least` or later, that ONNX Runtime executes, and what to say of it; the model itself where
    it is in one.

    ONNX's own converter does it, from set 7 on. Raises Refused where it cannot.
    """
    old, newest = writing.version(model), _newest(model)
    if least <= old <= newest:
        return model, None
    targets = [newest] if old > newest else [each for each in (MODERN, OLDEST) if each >= max(least, old)]
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    _set_opset(model, old)
    if old < first_sets.LAST:
        first_sets.upgrade(model, walk.ranks(checking.infer(model, strict=False).graph))
    _refuse_unknown(model)
    failure: Exception | None = None
    for target in targets:
        try:
            made = onnx.version_converter.convert_version(model, target)
            for graph in walk.graphs(made.graph):
                del graph.value_info[:]  # what the converter writes of its own values has wrong ranks
            onnx.checker.check_model(made)
            checking.infer(made, strict=True)
        except (*_CONVERTER_SAYS, Refused) as error:
            failure = failure or error
            continue
        return made, f"operator set {old} was brought to {target}"
    event = checking.complaint(failure or Exception("there is no way")).event
    raise Refused(
        f"the model uses operator set {old}, and cannot be brought to {targets[0]}: {_first_line(failure)}",
        kind="unsupported",
        hint=f"ONNX Runtime executes sets {OLDEST} to {newest}: export the model for one of them",
        node=event["node"],
        op=event["op"],
    )


def _refuse_unknown(model: Any) -> None:
    """The converter's own words for it do not name the operator."""
    number = writing.version(model)
    for node in walk.nodes(model):
        if node.domain in ("", "ai.onnx") and not onnx.defs.has(node.op_type, max_inclusive_version=number):
            raise Refused(
                f"ONNX has no operator {node.op_type} in set {number}",
                kind="unsupported",
                node=node.name,
                op=node.op_type,
            )


def _set_opset(model: Any, number: int) -> None:
    if not any(entry.domain in ("", "ai.onnx") for entry in model.opset_import):
        model.opset_import.add(domain="", version=number)


def _first_line(error: Exception | None) -> str:
    text = str(error).strip().split("\n")[0]
    return text.rpartition("Assertion ")[2][:300] if "Assertion " in text else text[:300]

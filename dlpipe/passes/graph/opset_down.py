"""An earlier operator set, node by node: ONNX's converter has few of the ways down, and none into nested graphs."""

from typing import Any

import onnx
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from . import dead_code, opset_expand
from .fold_constants import fold
from .infra import infer_again, opset
from .opset_adapters import ADAPTERS, HARMLESS
from .opset_rewriting import Lowered

_NEGATIVE_AXES = 11  # the set since which all operators count axes from the end, too


def lower_opset(model: ir.Model, target: int) -> list[str]:
    """In place. Returns one line per operator that was said in another way, and one for the set. Raises Refused for
    what set `target` cannot express, with the node named; the model must then be thrown away."""
    before = opset(model)
    if model.functions:
        common.InlinePass()(model)
    infer_again(model)
    changes = [f"operator set {before} -> {target}", *_expand(model, before, target)]
    for node in list(model.graph.all_nodes()):
        if node.domain == "":
            changes += _lower(node, before, target)
    model.graph.opset_imports[""] = target
    dead_code.remove(model)
    return changes


def _expand(model: ir.Model, before: int, target: int) -> list[str]:
    """Definitions take the place of operators that the older set does not have, until none has one. What they compute
    of known shapes is folded: the older set may want it as attributes."""
    lines: list[str] = []
    waiting = list(model.graph.all_nodes())
    while waiting:
        node = waiting.pop(0)
        if node.domain == "" and not _has(node, target) and (node.op_type, None) not in ADAPTERS:
            parts = opset_expand.expand(node, before)
            if parts is None:
                raise refused(node, f"set {target} has no {node.op_type}, and ONNX defines it by no others")
            lines.append(f"{node.name}: {node.op_type} became {len(parts)} nodes")
            infer_again(model)  # types that the parts of the parts depend on
            waiting = [*parts, *waiting]
    if lines:
        fold(model)
        infer_again(model)
    return lines


def _has(node: ir.Node, version: int) -> bool:
    return bool(onnx.defs.has(node.op_type, max_inclusive_version=version, domain=""))


def _lower(node: ir.Node, before: int, target: int) -> list[str]:
    """To what the same operator was in the older set."""
    if not _has(node, target):
        return _say(node, ADAPTERS[node.op_type, None], before, target)
    new = onnx.defs.get_schema(node.op_type, before, "")
    old = onnx.defs.get_schema(node.op_type, target, "")
    lines: list[str] = []
    if new.since_version != old.since_version:
        _say_defaults(node, new, old)
        steps = sorted((since, said) for (op, since), said in ADAPTERS.items() if op == node.op_type and since)
        for since, said in reversed(steps):
            if old.since_version < since <= new.since_version:
                lines += _say(node, said, before, target)
                if node.graph is None:
                    return lines
        _drop_defaults(node, new, old)
    if target < _NEGATIVE_AXES:
        _count_from_the_front(node)
    _hold_against(node, old, target)
    return lines


def _say(node: ir.Node, said: Any, before: int, target: int) -> list[str]:
    """What an adapter makes of the node is brought down in its turn, where it is other nodes."""
    made: Lowered = said(node)
    if made.refusal is not None:
        raise refused(node, f"set {target} cannot say it: {made.refusal}")
    lines = [f"{node.name}: {made.line}"] if made.line else []
    return lines + [line for part in made.nodes for line in _lower(part, before, target)]


def _say_defaults(node: ir.Node, new: Any, old: Any) -> None:
    """Where the two sets differ in what is meant by nothing."""
    for name, attribute in new.attributes.items():
        meant = attribute.default_value
        other = old.attributes[name].default_value if name in old.attributes else None
        if other is not None and meant.type and meant != other and name not in node.attributes:
            node.attributes[name] = ir.from_proto(meant)


def _drop_defaults(node: ir.Node, new: Any, old: Any) -> None:
    """Attributes that the older set does not know, and that say no more than it does anyway."""
    for name in [each for each in node.attributes if each not in old.attributes]:
        value = node.attributes[name].value
        known = new.attributes[name].default_value if name in new.attributes else None
        default = onnx.helper.get_attribute_value(known) if known is not None and known.type else None
        default = default.decode() if isinstance(default, bytes) else default
        if value != default and not (name in HARMLESS and HARMLESS[name](value)):
            raise refused(node, f"before set {new.since_version} it has no attribute {name} (here {value!r})")
        del node.attributes[name]


def _count_from_the_front(node: ir.Node) -> None:
    """Negative axes are those of the first input that has as many, but of Unsqueeze and OneHot: of the output."""
    port = node.outputs[0] if node.op_type in ("Unsqueeze", "OneHot") else node.inputs[0] if node.inputs else None
    for name in ("axis", "axes"):
        attribute = node.attributes.get(name)
        if attribute is None or attribute.type not in (ir.AttributeType.INT, ir.AttributeType.INTS):
            continue
        axes = [attribute.value] if name == "axis" else list(attribute.value)
        if min(axes, default=0) >= 0:
            continue
        if port is None or port.shape is None:
            raise refused(node, f"its {name} counts from the end of what has no known rank")
        axes = [axis % len(port.shape) for axis in axes]
        node.attributes[name] = ir.AttrInt64(name, axes[0]) if name == "axis" else ir.AttrInt64s(name, axes)


def _hold_against(node: ir.Node, schema: Any, target: int) -> None:
    """Raises Refused unless the node is one of the older set."""
    given = max((index for index, value in enumerate(node.inputs, 1) if value is not None), default=0)
    if not schema.min_input <= given <= schema.max_input or not len(node.outputs) <= schema.max_output:
        raise refused(node, f"in set {target} it has {schema.min_input} to {schema.max_input} inputs (here {given})")
    for values, formals in ((node.inputs, schema.inputs), (node.outputs, schema.outputs)):
        for index, value in enumerate(values):
            formal = formals[min(index, len(formals) - 1)]
            kind = None if value is None else _type_name(value)
            if kind is not None and kind not in formal.types:
                raise refused(node, f"in set {target} its {formal.name} cannot be a {kind}")
    for name, attribute in schema.attributes.items():
        if attribute.required and name not in node.attributes:
            raise refused(node, f"in set {target} it must have the attribute {name}")


def _type_name(value: ir.Value) -> str | None:
    """As schemas write it; None where it is not known, or no tensor."""
    if not isinstance(value.type, ir.TensorType) or value.dtype is None:
        return None
    return f"tensor({value.dtype.name.lower()})"


def refused(node: ir.Node, why: str) -> Refused:
    return Refused(
        f"{node.name} ({node.op_type}) cannot be brought to an earlier operator set: {why}",
        kind="unsupported",
        node=node.name,
        op=node.op_type,
    )

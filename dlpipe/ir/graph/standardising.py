"""A model as some exporter wrote it becomes one of standard operators, of a set that ONNX Runtime executes."""

from typing import Any

import onnx
import onnx.inliner
from dlpipe_worker import Refused

from . import checking, legacy, opsets, quantisers, tables, walk, writing

_NORM_AXES = [0, 2, 3]  # what MeanVarianceNormalization means where it says nothing
_KNOWN = {"ai.onnx.ml": 1, "com.microsoft": 1, "ai.onnx.preview.training": 1}  # a domain, its set where none is given


def is_needed(model: Any) -> bool:
    opset = writing.version(model)
    return (
        opsets.is_foreign(model)
        or bool(_without_import(model))
        or _is_loose(model)
        or bool(tables.found(model.graph))
        or any(_is_bare_norm(node) for node in walk.nodes(model))
        or any(node.domain in quantisers.DOMAINS or legacy.is_legacy(node, opset) for node in walk.nodes(model))
    )


def _is_loose(model: Any) -> bool:
    """What ONNX Runtime takes and ONNX's checker does not: weights that the inputs do not list, where the version of
    the format says that they must, and outputs that do not tell their shape."""
    stored = {tensor.name for tensor in model.graph.initializer}
    unlisted = model.ir_version < 4 and not stored <= {value.name for value in model.graph.input}
    return unlisted or any(_is_untold(value) for value in model.graph.output)


def _is_untold(value: Any) -> bool:
    return value.type.WhichOneof("value") in (None, "tensor_type") and not value.type.tensor_type.HasField("shape")


def _tell_outputs(model: Any) -> None:
    """Types and shapes of outputs, as far as they can be inferred."""
    if not any(_is_untold(value) for value in model.graph.output):
        return
    inferred = checking.infer(model, strict=False).graph
    told = {value.name: value for value in (*inferred.output, *inferred.value_info)}
    for value in model.graph.output:
        if _is_untold(value) and value.name in told:
            value.type.MergeFrom(told[value.name].type)


def _is_bare_norm(node: Any) -> bool:
    """ONNX's own shape inference fails on this operator's definition unless the default is written out."""
    return node.op_type == "MeanVarianceNormalization" and node.domain in ("", "ai.onnx") and not node.attribute


def standardise(model: Any) -> tuple[Any, list[str]]:
    """The model and what was done to it, for the user to read. Nodes have names and weights are no inputs.

    Raises Refused for what has no standard counterpart, with the node where one is to blame.
    """
    notes, opset = _import_domains(model), writing.version(model)
    lowered = [node for node in walk.nodes(model) if node.domain in quantisers.DOMAINS or legacy.is_legacy(node, opset)]
    if lowered and model.functions:
        model = onnx.inliner.inline_local_functions(model)
    for node in walk.nodes(model):
        if _is_bare_norm(node):
            node.attribute.append(onnx.helper.make_attribute("axes", _NORM_AXES))
        if legacy.is_legacy(node, opset):
            node.domain = legacy.DOMAIN
    if any(node.domain == legacy.DOMAIN for node in walk.nodes(model)):
        model.opset_import.add(domain=legacy.DOMAIN, version=1)
    model, said = opsets.bring(model, least=opsets.MODERN if lowered else opsets.OLDEST)
    notes += [said] if said else []
    notes += legacy.lower(model)
    notes += tables.lower(model)
    _tell_outputs(model)
    notes += quantisers.lower(model, walk.ranks(checking.infer(model, strict=False).graph))
    used = {node.domain for node in walk.nodes(model)}
    ours = (*quantisers.DOMAINS, legacy.DOMAIN)
    writing.keep_imports(model, lambda domain: domain not in ours or domain in used)
    return model, notes


def _without_import(model: Any) -> dict[str, Any]:
    """Domain -> the first node of it; domains that the file uses and does not declare."""
    declared = {entry.domain for entry in model.opset_import} | {"", "ai.onnx"}
    found: dict[str, Any] = {}
    for node in walk.nodes(model):
        if node.domain not in declared:
            found.setdefault(node.domain, node)
    return found


def _import_domains(model: Any) -> list[str]:
    notes = []
    for domain, node in _without_import(model).items():
        if domain not in _KNOWN and domain not in quantisers.DOMAINS:
            raise Refused(
                f"the operators of {domain!r} are not standard, and the file does not declare where they come from",
                kind="unsupported",
                node=node.name,
                op=walk.qualified(node),
            )
        model.opset_import.add(domain=domain, version=_KNOWN.get(domain, 1))
        if domain in _KNOWN:
            notes.append(f"the file uses {domain} without declaring its operator set: taken for {_KNOWN[domain]}")
    return notes

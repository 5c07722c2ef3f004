"""What every single node costs: one evaluation per node."""

from typing import Any, Protocol, runtime_checkable

import onnx_ir as ir
from dlpipe_worker import Refused

from ..graph import files, inference
from ..graph.infra import GraphPass, Rewritten, Work, infer_again
from .figures import Limit
from .judging import Judge
from .search import Group, one_by_one

SAMPLES = 64  # that the outputs are judged on


@runtime_checkable
class Selective(Protocol):
    """A pass that leaves the nodes named in params["keep"] in float."""

    def candidates(self, model: ir.Model, keep: frozenset[str]) -> list[Group]:
        """What it would lower, of a model with inferred types, which is used up."""

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten: ...


def measure_each(chosen: type[GraphPass], work: Work, *, others_in_float: bool) -> dict[str, Any]:
    """See `registry.sensitivity_call`."""
    source = work.inputs["ir"]
    first, model = chosen(), load(source)
    if not isinstance(first, Selective):
        raise Refused(f"{chosen.__name__} cannot leave single nodes in float", kind="unsupported")
    first.requires(model)
    kept = frozenset(work.params["keep"])
    groups = first.candidates(model, kept)
    operators = {str(node.name): node.op_type for node in model.graph.all_nodes()}
    judge = Judge(source, work.inputs["samples"] / "samples.npz", SAMPLES)
    figures = one_by_one(
        groups,
        lambda keep: judge.measure(lowered(chosen, source, work, kept | keep)),
        keep_others=others_in_float,
        progress=lambda done: work.progress("measuring each node", done),
    )
    found = [
        {"node": group.name, "op": operators.get(group.name), **each.as_dict()}
        for group, each in sorted(zip(groups, figures, strict=True), key=lambda pair: (pair[1].sqnr_db, pair[0].name))
    ]
    return {"samples": judge.count, "nodes": found}


def limit_of(params: Any) -> Limit:
    """The limit that a pass was given in its parameters, 0 for none. Raises Refused where all are 0."""
    limits = {key: params[key] or None for key in ("sqnr_db", "cosine", "agreement", "kl")}
    if not any(limits.values()):
        raise Refused("there is no limit to hold: give sqnr_db, cosine, agreement or kl", kind="unsupported")
    return Limit(**limits)


def load(folder: Any) -> ir.Model:
    """The IR with inferred types."""
    model = files.load(folder)
    inference.infer(model)
    return model


def lowered(chosen: type[GraphPass], source: Any, work: Work, keep: frozenset[str]) -> ir.Model:
    """The model in `source` after the pass, but for the nodes in `keep`."""
    asked = Work({**work.params, "keep": sorted(keep)}, work.inputs, lambda *_, **__: None, lambda *_, **__: None)
    model = chosen().rewrite(load(source), asked).model
    infer_again(model)  # ONNX Runtime lays out its memory by the shapes that the file declares
    return model

"""What `bisect` is given: an original, an IR (an .onnx file, or a stage of a run), or an artefact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.errors import UserError
from dlpipe.ir.calls import describe_call
from dlpipe.ir.contract import Contract
from dlpipe.measure.tolerances import BOUNDED
from dlpipe.pipeline.bisect.origin import ir_of, locate_stage
from dlpipe.pipeline.runnable import RUN_FILE, Runnable, artifact_digest, load
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage

Kind = Literal["original", "ir", "artifact"]
_INT8 = ("QuantizeLinear", "QLinearConv", "QLinearMatMul", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger")
_INT4 = ("com.microsoft::MatMulNBits", "DequantizeLinear")
_SHORT = {"float16": "fp16", "bfloat16": "bf16"}


@dataclass(frozen=True, slots=True)
class Station:
    """One form of the model on the way from A to B.

    tree: its folder (`tree:<digest>`), for an original that of its import. precision: what it computes in, which
    settles how near it must be.
    """

    title: str
    kind: Kind
    contract: Contract
    tree: str
    precision: str
    model: Runnable | None = None  # where it is an original or an artefact
    resolution: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def stations(session: Session, spec: str, name: str, options: ImportOptions) -> list[Station]:
    """From what the user named to its graph: of an original [it, its import], of an artefact [it, the IR it was
    compiled from, where that is known here], of an IR [it]. name: keeps the stages of two apart.

    Raises UserError for what is no model, and what `load` and `locate_stage` raise.
    """
    tree = locate_stage(session.store, spec)
    if tree is None and (Path(spec) / RUN_FILE).is_file():
        return _artifact(session, load(session, spec, name), artifact_digest(spec), name)
    if tree is None:
        model = load(session, spec, name, options)
        graph = _graph(session, spec, model.feeds, name)
        if model.frontend is None or model.frontend.name == "onnx":
            return [graph]
        return [_original(model, graph), replace(graph, title=f"the import of {spec}")]
    if not _has(session, tree, RUN_FILE):
        return [_graph(session, spec, f"tree:{tree}", name)]
    folder = session.folder / f"artifact-{name}"
    session.store.export(tree, folder)
    return _artifact(session, replace(load(session, str(folder), name), spec=spec), tree, name)


def _original(model: Runnable, graph: Station) -> Station:
    return Station(model.spec, "original", model.contract, model.feeds, "fp32", model, graph.resolution)


def _artifact(session: Session, model: Runnable, digest: str, name: str) -> list[Station]:
    """And the IR that it was compiled from, where that is known here."""
    artifact = Station(model.spec, "artifact", model.contract, model.feeds, model.variant, model)
    ir = ir_of(session.store, digest)
    if ir is None:
        return [artifact]
    return [artifact, _graph(session, f"the IR that {model.spec} was compiled from", f"tree:{ir}", name)]


def _graph(session: Session, title: str, tree: str, name: str) -> Station:
    if not _has(session, tree.removeprefix("tree:"), "model.onnx"):
        raise UserError(f"{title} is no model", hint="name a stage that makes one, such as fp32, or a file")
    stage = Stage(f"{name}:graph", "measure", describe_call(), {"ir": tree})
    described = session.executor.run([stage])[stage.id].value
    contract = Contract.model_validate_json(session.store.read(tree.removeprefix("tree:"), "contract.json"))
    resolution = {**dict.fromkeys(described["bounded"], BOUNDED), **contract.metadata.get("resolution", {})}
    return Station(title, "ir", contract, tree, computes_in(described), None, resolution)


def computes_in(described: Mapping[str, Any]) -> str:
    """The precision of a graph, by its operators and the types of its values."""
    operators = described["operators"]
    if any(name in operators for name in _INT8):
        return "int8"
    if any(name in operators for name in _INT4):
        return "int4"
    types = {value["dtype"] for node in described["nodes"] for value in node["outputs"]}
    return next((precision for dtype, precision in _SHORT.items() if dtype in types), "fp32")


def _has(session: Session, tree: str, name: str) -> bool:
    return any(file.name == name for file in session.store.tree(tree).files)

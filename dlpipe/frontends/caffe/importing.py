"""A net and its weights -> an ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request

from ..kit import emit, ports
from . import layers  # noqa: F401 - it registers the handlers
from .boundary import Boundary, find_boundary
from .caffemodel import read_weights
from .files import find_weights
from .net import Layer, Net, read_net
from .schema import IGNORED, PARAMS
from .step import HANDLERS, FixedBatch, Shape, Step

_LAYER_FIELDS = {
    "name", "type", "bottom", "top", "param", "blobs_lr", "weight_decay", "loss_weight", "propagate_down", "include",
    "exclude", "phase", "blob_share_mode", "device", "buffer", "share_in_parallel",
}  # fmt: skip


def import_model(request: Request) -> dict[str, Any]:
    """See worker.py. Raises Refused, naming the layer, for whatever has no exact counterpart."""
    source, params = Path(request.inputs["source"]), request.params
    net = read_net(source / params["entry"])
    weights = read_weights(find_weights(source, params["entry"]))
    boundary = find_boundary(net, weights, params.get("inputs") or {}, params.get("dims") or {})
    try:
        build = _Build(net, weights, boundary, fixed=boundary.fixed)
    except (FixedBatch, Refused):  # something counts on the batch; what else is wrong shows again
        if boundary.fixed:
            raise
        build = _Build(net, weights, boundary, fixed=True)
    build.declare_outputs(params.get("outputs") or [])
    for note in boundary.notes:
        request.note(note)
    labels = ports.read_labels(request.inputs["source"], params["entry"])
    contract = build.graph.save(request.out, labels=labels, metadata=boundary.metadata(build.types))
    return {"inputs": len(contract["inputs"]), "outputs": len(contract["outputs"]), "operators": build.types}


class _Build:
    def __init__(self, net: Net, weights: dict[str, list[Any]], boundary: Boundary, fixed: bool) -> None:
        self.graph = emit.Graph(net.name or "caffe")
        self.types: dict[str, int] = {}
        self._boundary = boundary
        self._values: dict[str, str] = {}  # blob -> value that holds it now
        self._shapes: dict[str, Shape] = {}
        self._consumed: set[str] = set()
        self._order: list[str] = []
        kept = boundary.layers
        last = {top: index for index, each in enumerate(kept) for top in each.tops}
        taken = {name for name, _ in boundary.inputs}
        for name in [*taken, *last]:
            self.graph.fresh(name) if name not in taken else None
        for name, declared in boundary.inputs:
            shape: Shape = list(declared)
            if not fixed and shape:
                shape[0] = ports.BATCH
            self._values[name] = self.graph.input(name, "float32", shape, name, "NCHW" if len(shape) == 4 else None)
            self._shapes[name] = shape
        shared: dict[str, Any] = {}
        for index, each in enumerate(kept):
            tops = [
                top if last[top] == index and top not in taken else self.graph.fresh(f"{top}/{each.name}")
                for top in each.tops
            ]
            self._add(each, tops, _blobs(each, weights, shared))

    def _add(self, each: Layer, tops: list[str], blobs: list[Any]) -> None:
        handler = HANDLERS.get(each.type)
        if handler is None:
            raise Refused(
                f"layer {each.name} has the type {each.type or '(none)'}, which dlpipe does not convert",
                kind="unsupported", node=each.name, op=each.type,
            )  # fmt: skip
        for bottom in each.bottoms:
            if bottom not in self._values:
                raise Refused(f"layer {each.name} takes the blob {bottom!r}, which no layer makes", node=each.name)
        step = Step(
            self.graph,
            each,
            [self._values[b] for b in each.bottoms],
            [self._shapes[b] for b in each.bottoms],
            tops,
            blobs,
        )
        _check_fields(step)
        handler(step)
        self.types[each.type] = self.types.get(each.type, 0) + 1
        self._consumed.update(each.bottoms)
        for top, value, shape in zip(each.tops, tops, step.results, strict=True):
            if shape is None:
                step.fail(f"it writes no blob {top!r}")
            self._values[top], self._shapes[top] = value, shape
            self._consumed.discard(top)
            if top in self._order:
                self._order.remove(top)
            self._order.append(top)

    def declare_outputs(self, asked: list[str]) -> None:
        """Blobs that no layer takes, or those asked for. Raises Refused for a name that is no blob."""
        for name in asked:
            if name not in self._order:
                raise Refused(f"the net has no blob {name!r} that a layer makes")
        for name in asked or [each for each in self._order if each not in self._consumed]:
            shape = self._shapes[name]
            self.graph.output(self._values[name], "float32", shape, name, "NCHW" if len(shape) == 4 else None)


def _blobs(each: Layer, weights: dict[str, list[Any]], shared: dict[str, Any]) -> list[Any]:
    """A layer's own blobs; those it shares by name, where the file keeps them with their first owner only."""
    found = list(weights.get(each.name, []))
    names = [str(spec.scalar("name") or "") for spec in each.message.get("param", []) if not isinstance(spec, str)]
    for index, name in enumerate(names):
        if not name:
            continue
        if index < len(found):
            shared.setdefault(name, found[index])
        elif index == len(found) and name in shared:
            found.append(shared[name])
    return found


def _check_fields(step: Step) -> None:
    """Whatever a fork of Caffe added to a layer changes what it computes: it is refused, not passed over."""
    for name in step.layer.message:
        if name in _LAYER_FIELDS or name in IGNORED or name in PARAMS:
            continue
        step.fail(f"it has the field {name!r}, which dlpipe does not know", "unsupported")

"""source -> model.onnx, contract.json: our own converter."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import emit, ports
from . import inputs as ins
from . import naming, params
from . import symbol as symbols
from .converting import convert
from .net import FreeDim

MOST_TRIES = 600


def import_model(request: Request) -> dict[str, Any]:
    """params: entry, inputs (name -> {"shape", "dtype"}), outputs (names), dims (free dim -> size)."""
    given = request.params
    source = Path(request.inputs["source"])
    symbol = symbols.read(source / given["entry"])
    arrays = read_arrays(source, given["entry"], symbol)
    heads = [(int(node), int(index)) for node, index in naming.find_heads(symbol.plain(), given.get("outputs") or [])]
    heads = heads or list(symbol.heads)
    variables = ins.needed(symbol, heads)
    feeds = [node for node in variables if node.name not in arrays]
    options = given.get("inputs") or {}
    unknown = sorted(set(options) - {node.name for node in feeds})
    if unknown:
        listed = ", ".join(node.name for node in feeds)
        raise Refused(f"the model has no input {unknown[0]!r}", hint=f"its inputs are: {listed}")
    types = {node.name: _dtype(options.get(node.name), node, arrays) for node in feeds}
    graph, chosen, guessed = _convert(request, symbol, arrays, heads, feeds, types, options)
    for name in guessed:
        shape = "x".join(str(dim) for dim in chosen[name])
        request.note(
            f"the symbol does not say the size of its input {name!r}: {shape} fits the weights and was taken; if it "
            f"was trained on another, give it with --input {name}:<shape>",
            level="warning",
        )
    labels = ports.read_labels(str(source), given["entry"])
    graph.save(request.out, labels=labels, metadata={"mxnet_version": symbol.version})
    return {"tool": "dlpipe", "mxnet_version": symbol.version, "shapes": chosen}


def read_arrays(source: Path, entry: str, symbol: symbols.Symbol) -> dict[str, Any]:
    """Variable -> weights. Without a file: no weights."""
    path = naming.find_params(source, entry)
    if path is None:
        if any(name.endswith(naming.WEIGHTS) for name in symbol.variables):
            stem = Path(entry).name.replace("-symbol.json", "")
            raise Refused(f"the weights of {entry} are missing", hint=f"put {stem}-0000.params beside it")
        return {}
    stored = params.read(path)
    matched = naming.match(symbol.variables, list(stored))
    return {variable: stored[name] for variable, name in matched.items()}


def _dtype(option: Mapping[str, Any] | None, node: symbols.Node, arrays: Mapping[str, Any]) -> Any:
    wanted = (option or {}).get("dtype")
    try:
        return np.dtype(wanted) if wanted else ins.dtype(node, arrays)
    except TypeError as error:
        raise Refused(f"input {node.name!r} cannot have the type {wanted!r}") from error


def _convert(
    request: Request,
    symbol: symbols.Symbol,
    arrays: Mapping[str, Any],
    heads: list[symbols.Entry],
    feeds: list[symbols.Node],
    types: Mapping[str, Any],
    options: Mapping[str, Any],
) -> tuple[emit.Graph, dict[str, ins.Shape], list[str]]:
    """Returns (graph, shapes of the inputs, those whose sizes were chosen here)."""
    dims = {str(name): int(size) for name, size in (request.params.get("dims") or {}).items()}
    choices: dict[str, list[ins.Shape]] = {}
    guessed = []
    for node in feeds:
        settled = _given(options.get(node.name)) or ins.stated(node)
        choices[node.name] = [settled] if settled else ins.candidates(symbol, arrays, node)
        if not settled and len(choices[node.name]) > 3:
            guessed.append(node.name)
    # At most one input has many candidates; others stay with their first.
    longest = max(choices, key=lambda name: len(choices[name]), default=None)
    first: Refused | FreeDim | None = None
    tries = choices[longest] if longest else [[]]
    for shape in itertools.islice(tries, MOST_TRIES):
        shapes = {name: found[0] for name, found in choices.items()}
        if longest:
            shapes[longest] = shape
        shapes = {name: [dims.get(str(dim), dim) for dim in found] for name, found in shapes.items()}
        try:
            return (*_settle(request, symbol, arrays, shapes, types, heads), guessed)
        except (Refused, FreeDim) as error:
            if isinstance(error, Refused) and error.event["kind"] == "unsupported":
                raise
            first = first or error
    assert first is not None
    if isinstance(first, FreeDim):
        raise Refused(
            f"{first}", "unsupported", hint=f"fix it: --input {longest or 'data'}:<shape with numbers only>"
        ) from first
    if guessed:
        raise Refused(
            f"no usual size of the input {longest!r} fits the weights: {first.event['message']}",
            hint=f"give it: --input {longest}:<shape>",
            node=first.event["node"],
            op=first.event["op"],
        ) from first
    raise first


def _settle(
    request: Request,
    symbol: symbols.Symbol,
    arrays: Mapping[str, Any],
    shapes: dict[str, ins.Shape],
    types: Mapping[str, Any],
    heads: list[symbols.Entry],
) -> tuple[emit.Graph, dict[str, ins.Shape]]:
    """With the batch free where every layer can do without its size, else one at a time."""
    told = []
    while True:
        feeds = {name: (types[name], shape) for name, shape in shapes.items()}
        try:
            graph = convert(symbol, arrays, feeds, heads)
        except FreeDim as error:
            free = sorted({dim for shape in shapes.values() for dim in shape if isinstance(dim, str)})
            if not free:
                raise
            fixed = error.dim if error.dim in free else free[0]
            shapes = {name: [1 if dim == fixed else dim for dim in shape] for name, shape in shapes.items()}
            told.append(f"the dim {fixed} is fixed at 1: a layer's form depends on it")
        else:
            for each in told:
                request.note(each)
            return graph, shapes


def _given(option: Mapping[str, Any] | None) -> ins.Shape | None:
    """A dim may be a number or a name; -1 or None is free."""
    shape = (option or {}).get("shape")
    if not shape:
        return None
    free = iter((ins.BATCH, ins.TIME, "H", "W", *(f"D{number}" for number in range(64))))
    found: ins.Shape = []
    for dim in shape:
        if dim is None or dim in (-1, "-1", "?", "*"):
            found.append(next(free))
        else:
            found.append(int(dim) if isinstance(dim, int) or str(dim).isdigit() else str(dim))
    return found

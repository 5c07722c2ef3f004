"""Where two models part. Runs in the toolchain `core`, with the library ir/graph."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request, operation

from ..arrays import npz
from ..graph import emulating, executing, files
from .bisecting import stripping
from .bisecting.graph import Graph, Values
from .bisecting.lockstep import Lockstep
from .bisecting.running import Running
from .bisecting.verdict import conclude

_SIDES = ("reference", "candidate")


@operation
def walk(request: Request) -> dict[str, Any]:
    """reference, candidate (IR folders), samples (few: all are in memory) -> which node departs. params: ports (the
    candidate's inputs and outputs -> the reference's), limits (`Tolerance.params`), resolution.

    Returns {"verdict": "agree", "node" (fed with the reference's values it departs all the same) or "accumulates"
    (each node alone is within the limits), "first": a row (`bisecting/rows.py`) or None, "wrong": the first rows on
    the way to an output that depart alone, "wrong_count", "largest": the rows before with the largest errors alone,
    "compared": how many values, "left_out": values that nothing of the reference's stands for, "nodes": how many of
    both, "outputs": rows of the outputs, "tool", "peak_rss": bytes, by the kernel's account}. Output: `rows.json`, all
    rows.
    """
    params = request.params
    with tempfile.TemporaryDirectory(dir=request.out) as scratch:  # the usual place may be memory
        reference, candidate = (_graph(Path(request.inputs[side]), Path(scratch, side)) for side in _SIDES)
        steps = Lockstep(
            reference,
            candidate,
            _samples(request, reference),
            ports=params["ports"],
            limits=params["limits"],
            resolution=params.get("resolution", {}),
        )
        steps.walk(lambda done: request.progress("walking both graphs", done))
    rows = [row.as_dict() for row in steps.rows.values()]
    (Path(request.out) / "rows.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return {
        **conclude(steps.rows, candidate.outputs),
        "compared": len(rows),
        "left_out": steps.left_out[:100],
        "nodes": [len(reference.nodes), len(candidate.nodes)],
        "outputs": [steps.rows[name].as_dict() for name in candidate.outputs if name in steps.rows],
        "tool": executing.TOOL,
        "peak_rss": executing.peak_rss(),
    }


@operation
def skeleton(request: Request) -> dict[str, Any]:
    """ir -> {"nodes": [{"name", "op", "reads", "makes"}] in an order of execution, without those that no output depends
    on and those that depend on no input; "inputs", "outputs", "floats": values that are known to be such}. Values only,
    no weights."""
    with tempfile.TemporaryDirectory(dir=request.out) as scratch:
        return Graph(Path(request.inputs["ir"]) / files.MODEL, Path(scratch)).skeleton()


@operation
def values(request: Request) -> dict[str, Any]:
    """ir, samples -> layers.npz ("0", "1", ...): what each node gives for sample 0, as far as it is float, in an order
    of execution. Returns {"layers": their nodes}."""
    names: list[str] = []
    with tempfile.TemporaryDirectory(dir=request.out) as scratch:
        graph = _graph(Path(request.inputs["ir"]), Path(scratch, "ir"))
        made = _made(graph, _samples(request, graph)[0], names)
        npz.write(Path(request.out) / "layers.npz", ((str(i), each) for i, each in enumerate(made)))
    return {"layers": names}


def _made(graph: Graph, sample: Values, names: list[str]) -> Iterator[Any]:
    """Only what is still needed stays in memory. names: gets the node of each."""
    nodes = sorted(graph.behind(graph.outputs))
    running = Running(graph, {name: [each] for name, each in sample.items()}, 1, nodes, Counter())
    for index in nodes:
        for name, (value,) in running.results(index).items():
            running.put(name, [value])
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                names.append(graph.name(index))
                yield value
        running.end(index)


@operation
def strip(request: Request) -> dict[str, Any]:
    """ir, perhaps other (an IR that shares its weights) -> the IR with noise in place of its weights, and their names:
    {"noise": [...]}."""
    other = Path(request.inputs["other"]) if "other" in request.inputs else None
    return {"noise": stripping.strip(Path(request.inputs["ir"]), Path(request.out), other)}


def _samples(request: Request, reference: Graph) -> list[Values]:
    arrays = npz.read(Path(request.inputs["samples"]) / "samples.npz")
    missing = sorted(set(reference.inputs) - arrays.keys())
    if missing:
        raise Refused(f"the samples hold {sorted(arrays)}, and the reference wants {missing} too")
    count = min((len(arrays[name]) for name in reference.inputs), default=1)
    return [{name: np.asarray(arrays[name][number]) for name in reference.inputs} for number in range(count)]


def _graph(folder: Path, scratch: Path) -> Graph:
    """What ONNX Runtime has no kernels for is emulated, as where the whole model runs."""
    scratch.mkdir()
    graph = Graph(folder / files.MODEL, scratch)
    if graph.has_bfloat16():
        return Graph(emulating.write_emulated(folder / files.MODEL, scratch), scratch)
    return graph

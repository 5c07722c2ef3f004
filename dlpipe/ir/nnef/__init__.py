"""ONNX -> NNEF. The way back is the frontend `nnef`; the pipeline holds one against the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dlpipe.contracts.call import Call
from dlpipe.ir import GRAPH

_WORKER = Path(__file__).with_name("worker.py")


def write_call() -> Call:
    """Inputs: `ir`, `samples` (their shapes are the inputs': NNEF has no free dims). Output: graph.nnef and its .dat
    files. Value: {"inputs", "outputs": port's name -> its name in the text, "operations", "shapes"}.
    Raises Unsupported, naming node and op, for what NNEF has no counterpart for."""
    return Call("core", _WORKER, "write", libraries=GRAPH)


def run_call(inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Call:
    """Inputs: `ir`, `again` (the IR read back), `samples`. Output: `outputs.npz` of the latter, under the names and
    element types of the former. inputs, outputs: what `write_call` returns."""
    params = {"inputs": dict(inputs), "outputs": dict(outputs)}
    return Call("core", _WORKER, "run", params, libraries=GRAPH, stage_class="hardware")


def pack_call(name: str) -> Call:
    """Input: `nnef`. Output: the one archive `name` (.tar, .tgz or .tar.gz), the same bytes every time."""
    return Call("core", _WORKER, "pack", {"name": name}, libraries=GRAPH)

"""What each operator of the original gives for one sample: for finding where an import departs from it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dlpipe_worker import Request

from .loading import load
from .original import open_graph
from .running import load_samples, read_contract, tool


def layers(request: Request) -> dict[str, Any]:
    """source, imported, samples -> layers.npz ("0", "1", ...): the float results that lie between the inputs and the
    outputs, in an order of execution, of the frozen graph: in it the functions of a SavedModel are written out."""
    import numpy as np

    contract = read_contract(request.inputs["imported"])
    samples = load_samples(request.inputs["samples"], contract["inputs"])
    loaded = load(request.inputs["source"], {**request.params, "outputs": [], "inputs": {}})
    frozen = {source: tensor for tensor, (_, source) in {**loaded.inputs, **loaded.outputs}.items()}
    feeds = {frozen.get(port["source"], port["source"]): samples[port["name"]][0] for port in contract["inputs"]}
    feeds |= {each.tensor: each.value for each in loaded.settings}
    ends = [frozen.get(port["source"], port["source"]) for port in contract["outputs"]]
    with open_graph(loaded.graph) as original:
        tensors = list(_between(original.graph, list(feeds), ends))
        values = original.run([each.name for each in tensors], feeds)
    numbered = {str(index): np.asarray(value) for index, value in enumerate(values)}
    np.savez(Path(request.out) / "layers.npz", allow_pickle=False, **numbered)
    return {"layers": [each.op.name for each in tensors], "tool": tool()}


def _between(graph: Any, starts: Sequence[str], ends: Sequence[str]) -> Iterator[Any]:
    """What depends on a fed tensor and leads to an output, each behind what it reads; a loop is entered once."""
    fed, seen, moving = set(starts), set(), set()
    waiting = [(graph.get_tensor_by_name(name).op, False) for name in reversed(ends)]
    while waiting:
        op, ready = waiting.pop()
        if ready:
            if any(each.name in fed or each.op in moving for each in op.inputs):
                moving.add(op)
                yield from (each for each in op.outputs[:1] if each.dtype.is_floating and graph.is_fetchable(each))
        elif op not in seen:
            seen.add(op)
            waiting.append((op, True))
            waiting += [(each.op, False) for each in reversed(op.inputs) if each.name not in fed]

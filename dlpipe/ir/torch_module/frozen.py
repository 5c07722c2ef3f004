"""The module as `torch.export` takes it: for inputs of fixed shapes, and without a value that decides about a shape."""

from collections.abc import Collection, Mapping
from typing import Any

import onnx_ir as ir
import torch
from torch import nn

from .network import Network, Step
from .ops.table import READ

_SHAPES = frozenset({"Shape", "Size"})  # known once the shapes of the inputs are
_QUANTISED = (torch.int8, torch.uint8)
_LISTED = 1 << 16  # numbers of a stored tensor that are read one by one: no graph has sizes or axes longer than that


class Frozen(nn.Module):  # type: ignore[misc]  # torch is Any to the host
    """`network` with what no input decides computed once, and stored.

    `feeds`: input's name -> a tensor of the shape and type that it will have. `keep`: nodes that are computed each time
    although all they read is stored (a DequantizeLinear of weights, which is how a backend is told of int8).
    `forward` takes the inputs in the graph's order and returns its outputs as a tuple. Floats and bytes are buffers.
    Other integers, and floats that are read as numbers (a Clip's bounds), are plain tensors that know their values.
    """

    def __init__(self, network: Network, feeds: Mapping[str, Any], keep: Collection[ir.Node] = ()) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(network.inputs), tuple(network.outputs)
        known, self._steps = _apart(network, feeds, keep)
        read, listed = _read(self._steps, self.outputs)
        self._places: dict[str, str] = {}  # name in the graph -> name in this module, where dots are not allowed
        self._plain: dict[str, Any] = {}
        for name in sorted(read & set(known)):
            self._enter(name, known[name].detach(), name in listed)
        self.eval()

    def _enter(self, name: str, tensor: Any, listed: bool) -> None:
        if (tensor.is_floating_point() or tensor.dtype in _QUANTISED) and not listed:
            self._places[name] = f"w{len(self._places)}"
            self.register_buffer(self._places[name], tensor.clone())
            return
        self._plain[name] = tensor.clone()
        if tensor.numel() <= _LISTED:
            self._plain[name].known = tensor.reshape(-1).tolist()

    def forward(self, *inputs: Any) -> tuple[Any, ...]:
        values = dict(zip(self.inputs, inputs, strict=True)) | self._plain
        values.update((name, getattr(self, place)) for name, place in self._places.items())
        for step in self._steps:
            values.update(step.run(values))
        return tuple(values[name] for name in self.outputs)


def _apart(network: Network, feeds: Mapping[str, Any], keep: Collection[ir.Node]) -> tuple[dict[str, Any], list[Step]]:
    """What is known by name, and the steps that compute the rest. Runs the network once."""
    known = network.held()
    values = {name: feeds[name] for name in network.inputs} | known
    steps = []
    with torch.no_grad():
        for step in network.steps:
            made = step.run(values)
            values.update(made)
            stands = step.node.op_type in _SHAPES or known.keys() >= set(filter(None, step.inputs))
            if stands and step.node not in keep:
                known.update(made)
            else:
                steps.append(step)
            for name in step.frees:
                values.pop(name, None)
    return known, steps


def _read(steps: list[Step], outputs: tuple[str, ...]) -> tuple[set[str], set[str]]:
    """Names of the values that are read, and of those that are read as numbers."""
    read, listed = set(outputs), set[str]()
    for step in steps:
        read.update(filter(None, step.inputs))
        places = READ.get(str(step.node.op_type), ())
        listed.update(name for index, name in enumerate(step.inputs) if name and index in places)
    return read, listed

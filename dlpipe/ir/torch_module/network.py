"""An ONNX graph as a torch module. torch computes gradients; the graph stays what is shipped."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import onnx_ir as ir
import torch
from dlpipe_worker import Refused
from torch import nn

from . import weights
from .ops.all import OPERATORS, Compute, Site


@dataclass(frozen=True, slots=True)
class Port:
    """An input of a model; None for a size that is free."""

    name: str
    dtype: Any
    shape: tuple[int | None, ...] | None


class Network(nn.Module):  # type: ignore[misc]  # torch is Any to the host
    """Executes `model` node by node.

    `rounds`: a difference in rounding may become one of a whole step, because there is quantisation.

    Float weights are parameters, under their names in the graph (`parameter(name)`), those that a pattern in `freeze`
    matches without gradient; means and variances of batch norms are buffers. `replace` computes a node in another way
    than the table does; `learn` has further stored tensors that are parameters, by name, with the floats that they
    start from. Raises Refused for an operator that torch does not compute here.
    """

    def __init__(
        self,
        model: ir.Model,
        *,
        freeze: Collection[str] = (),
        replace: Mapping[ir.Node, Compute] | None = None,
        learn: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.ports = [_port(value) for value in model.graph.inputs if not value.is_initializer()]
        self.inputs = [port.name for port in self.ports]
        self.outputs = [str(value.name) for value in model.graph.outputs]
        self.statistics = weights.statistics(model)
        self._places: dict[str, str] = {}  # name in the graph -> name in this module, where dots are not allowed
        self._whole: dict[str, Any] = {}  # integers: they stay on the CPU
        for value, tensor in weights.stored(model):
            self._enter(value, tensor, freeze, learn or {})
        self.rounds = any(node.op_type == "QuantizeLinear" for node in model.graph)
        self._first_sizes = [name for name in self._whole if _only_reshapes(model, name)]
        self.steps = _steps(model, replace or {})
        self.eval()

    def replace(self, computes: Mapping[ir.Node, Compute]) -> None:
        """Compute these nodes in another way from now on."""
        for step in self.steps:
            step.compute = computes.get(step.node, step.compute)

    def _enter(self, value: ir.Value, tensor: Any, freeze: Collection[str], learn: Mapping[str, Any]) -> None:
        name, place = str(value.name), f"w{len(self._places)}"
        learned = not any(fnmatchcase(name, pattern) for pattern in freeze)
        if name in learn:
            start = torch.tensor(learn[name], dtype=torch.float32)
            self.register_parameter(place, nn.Parameter(start, requires_grad=learned))
            self._places[name] = place
            return
        if tensor.dtype not in _NUMBERS:
            return  # whoever reads it is refused with the node's name
        if not tensor.dtype.is_floating_point():
            self._whole[name] = weights.read(tensor)
        elif weights.is_weight(value, tensor):
            self.register_parameter(place, nn.Parameter(weights.read(tensor), requires_grad=learned))
            self._places[name] = place
        else:
            self.register_buffer(place, weights.read(tensor))
            self._places[name] = place

    def free_batch(self) -> dict[str, Any]:
        """Let a Reshape to sizes that begin with 1, as of a model made for a batch of one, leave its first size open.
        Returns what `hold_batch` takes to undo it. Whether it is right must be tried (`batching.py`)."""
        before = dict(self._whole)
        for name in self._first_sizes:
            sizes = self._whole[name].clone()
            if sizes.dim() == 1 and sizes.numel() > 1 and sizes[0] == 1:
                sizes[0] = 0 if (sizes == -1).any() else -1  # 0: as many as come in
                self._whole[name] = sizes
        return before

    def hold_batch(self, before: dict[str, Any]) -> None:
        self._whole = before

    def parameter(self, name: str) -> nn.Parameter:
        """By its name in the graph. KeyError for what is no weight."""
        found = getattr(self, self._places[name])
        if not isinstance(found, nn.Parameter):
            raise KeyError(name)
        return found

    def stored(self, name: str) -> Any:
        """The tensor of stored floats, by its name in the graph."""
        return getattr(self, self._places[name])

    def held(self) -> dict[str, Any]:
        """All that is stored, by its name in the graph."""
        return self._whole | {name: getattr(self, place) for name, place in self._places.items()}

    def learned(self) -> Iterator[tuple[str, nn.Parameter]]:
        """(name in the graph, parameter) of all that have a gradient."""
        for name, place in self._places.items():
            found = getattr(self, place)
            if isinstance(found, nn.Parameter) and found.requires_grad:
                yield name, found

    def snapshot(self) -> dict[str, Any]:
        """Copies of what training changes, on the CPU, by name in the graph: weights and batch norms' statistics."""
        return {name: getattr(self, self._places[name]).detach().cpu().clone() for name in self._trained()}

    def restore(self, tensors: Mapping[str, Any]) -> None:
        with torch.no_grad():
            for name, tensor in tensors.items():
                getattr(self, self._places[name]).copy_(tensor)

    def _trained(self) -> list[str]:
        return sorted([name for name, _ in self.learned()] + [name for name in self.statistics if name in self._places])

    def forward(self, feeds: Mapping[str, Any], watch: Collection[str] = ()) -> dict[str, Any]:
        """Outputs by name, and the intermediate values named in `watch`."""
        values: dict[str, Any] = {name: feeds[name] for name in self.inputs} | self.held()
        kept = {*self.outputs, *watch}
        for step in self.steps:
            values.update(step.run(values))
            for name in step.frees:
                if name not in kept:
                    del values[name]
        missing = kept - set(values)
        if missing:
            raise KeyError(f"the graph has no value {min(missing)!r}")
        return {name: values[name] for name in (*self.outputs, *(each for each in watch if each not in self.outputs))}


def _port(value: ir.Value) -> Port:
    shape = None if value.shape is None else tuple(size if isinstance(size, int) else None for size in value.shape)
    return Port(str(value.name), (value.dtype or ir.DataType.FLOAT).numpy(), shape)


class Step:
    """How one node is computed."""

    __slots__ = ("compute", "frees", "inputs", "node", "outputs")

    def __init__(self, node: ir.Node, compute: Compute, inputs: list[str], outputs: list[str]) -> None:
        self.node, self.compute, self.inputs, self.outputs = node, compute, inputs, outputs
        self.frees: list[str] = []  # values that no later step reads

    def run(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Its outputs by name."""
        results = self.compute(*[values[name] if name else None for name in self.inputs])
        if len(self.outputs) == 1 and not isinstance(results, tuple | list):
            results = (results,)
        return {name: result for name, result in zip(self.outputs, results, strict=False) if name}


def _steps(model: ir.Model, replace: Mapping[ir.Node, Compute]) -> list[Step]:
    held = {str(value.name) for value, _ in weights.stored(model)}
    version, steps = int(model.graph.opset_imports.get("", 0)), []
    last: dict[str, Step] = {}
    for node in model.graph:
        names = [str(value.name) if value is not None else "" for value in node.inputs]
        outputs = [str(value.name or "") for value in node.outputs]
        if node.op_type == "Constant" and outputs[0] in held:
            continue
        step = Step(node, replace.get(node) or _operator(node, version), names, outputs)
        steps.append(step)
        last.update(dict.fromkeys((name for name in (*names, *outputs) if name and name not in held), step))
    for name, step in last.items():
        step.frees.append(name)
    return steps


def _only_reshapes(model: ir.Model, name: str) -> bool:
    """Whether these integers are nothing but the sizes that tensors are reshaped to."""
    uses = [use for value, _ in weights.stored(model) if value.name == name for use in value.uses()]
    return bool(uses) and all(
        use.node.op_type == "Reshape" and use.idx == 1 and not use.node.attributes.get_int("allowzero", 0)
        for use in uses
    )


def _operator(node: ir.Node, version: int) -> Compute:
    made = OPERATORS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    if made is None:
        what = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        raise Refused(f"{what} cannot be computed in torch", kind="unsupported", node=node.name, op=node.op_type)
    return made(Site(node, version))


_NUMBERS = frozenset(
    {
        ir.DataType.FLOAT,
        ir.DataType.DOUBLE,
        ir.DataType.FLOAT16,
        ir.DataType.INT8,
        ir.DataType.INT16,
        ir.DataType.INT32,
        ir.DataType.INT64,
        ir.DataType.UINT8,
        ir.DataType.BOOL,
    }
)

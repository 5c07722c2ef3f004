"""An ONNX graph, written node by node, and its I/O contract. Runs where onnx is: the core toolchain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused
from onnx import helper, numpy_helper

from . import ports

OPSET = 18
ML, ML_OPSET = "ai.onnx.ml", 3
IR_VERSION = 10
# Larger models keep their weights in model.onnx.data. Not earlier: onnx takes a file with more than one hard link, as
# the store has them, for an attack, so every step with such a model needs a copy of it.
INLINE_BYTES = 1 << 30

Dims = Sequence[int | str]


class Graph:
    """Values are named after the tensors, nodes after the layers, of the original: what is wrong can then be named."""

    def __init__(self, name: str = "model", opset: int = OPSET) -> None:
        self.name = name
        self.opset = opset
        self.inputs: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] = []
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._taken: set[str] = set()  # names of values
        self._labels: set[str] = set()  # names of nodes

    def input(self, name: str, dtype: Any, shape: Dims, source: str | None = None, layout: str | None = None) -> str:
        """Returns the value's name."""
        self.inputs.append(ports.port(name, np.dtype(dtype).name, shape, source, layout))
        self._taken.add(name)
        return name

    def output(self, name: str, dtype: Any, shape: Dims, source: str | None = None, layout: str | None = None) -> None:
        """Declare the value `name` an output."""
        self.outputs.append(ports.port(name, np.dtype(dtype).name, shape, source, layout))

    def constant(self, array: Any, name: str) -> str:
        """An initializer. Returns its name: `name`, or a fresh one where that is taken."""
        name = self.fresh(name)
        self._constants[name] = np.asarray(array)
        return name

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        outputs: str | Sequence[str] | None = None,
        name: str | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Add a node; attributes that are None are left out. Returns the name of its first output.

        name: the layer's in the original. Outputs not given are named after it.
        """
        label = _free(name or op, self._labels)
        self._labels.add(label)
        made = [outputs] if isinstance(outputs, str) else list(outputs or [self.fresh(label)])
        self._taken.update(made)
        given = {key: value for key, value in attributes.items() if value is not None}
        self._nodes.append(helper.make_node(op, list(inputs), made, name=label, domain=domain, **given))
        return made[0]

    def fresh(self, name: str) -> str:
        """A value name that is not taken yet; it is now."""
        found = _free(name, self._taken)
        self._taken.add(found)
        return found

    def nested(self, name: str) -> Graph:
        """A graph for an attribute of a node of this one (see `proto`): a name of either means one value."""
        inner = Graph(name, self.opset)
        inner._taken = self._taken
        return inner

    def proto(self) -> Any:
        """The GraphProto. A nested one may read values of the graphs around it."""
        inputs, outputs = ([_value_info(each) for each in side] for side in (self.inputs, self.outputs))
        weights = [_initializer(name, array) for name, array in self._constants.items()]
        return helper.make_graph(self._nodes, self.name, inputs, outputs, weights)

    def build(self, opsets: Mapping[str, int] | None = None) -> Any:
        """The ModelProto. Nodes must have been added in an order in which they can be computed."""
        used = {node.domain: ML_OPSET for node in self._nodes if node.domain == ML}
        domains = {"": self.opset, **used, **(opsets or {})}
        return helper.make_model(
            self.proto(),
            producer_name="dlpipe",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid(domain, version) for domain, version in domains.items()],
        )

    def save(
        self,
        out: str,
        *,
        labels: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        preprocessing: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Write model.onnx and contract.json; what is not needed for the outputs is left out.

        Raises Refused where there is no input or output left, or ONNX finds the graph invalid. Returns the contract.
        """
        self._prune()
        if not self.outputs:
            raise Refused("the model has no output", hint="name one with --output")
        model = self.build()
        write(model, Path(out) / "model.onnx")
        return ports.write_contract(out, self.inputs, self.outputs, labels, metadata, preprocessing)

    def _prune(self) -> None:
        """Drop nodes, weights and inputs that no output needs."""
        needed = {each["name"] for each in self.outputs}
        kept = []
        for node in reversed(self._nodes):
            if needed & set(node.output):
                kept.append(node)
                needed.update(_reads(node))
        self._nodes = kept[::-1]
        self._constants = {name: array for name, array in self._constants.items() if name in needed}
        self.inputs = [each for each in self.inputs if each["name"] in needed]


def _initializer(name: str, array: Any) -> Any:
    return numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _reads(node: Any) -> set[str]:
    """What a node reads, the graphs within it included."""
    found = {name for name in node.input if name}
    for attribute in node.attribute:
        for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            found.update(*(_reads(each) for each in inner.node), (each.name for each in inner.output))
    return found


def write(model: Any, path: Path) -> None:
    """Check and save a ModelProto: shapes inferred, large weights beside it. Raises Refused, naming the node."""
    try:
        onnx.checker.check_model(model)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise Refused(f"what was made of the model is not valid ONNX: {str(error).strip().splitlines()[0]}") from error
    large = sum(len(tensor.raw_data) for tensor in model.graph.initializer) > INLINE_BYTES
    onnx.save_model(
        model, str(path), save_as_external_data=large, location=f"{path.name}.data", size_threshold=1024 if large else 0
    )


def _value_info(port: Mapping[str, Any]) -> Any:
    text = port["dtype"] == "str"
    element = onnx.TensorProto.STRING if text else helper.np_dtype_to_tensor_dtype(np.dtype(port["dtype"]))
    return helper.make_tensor_value_info(port["name"], element, port["shape"])

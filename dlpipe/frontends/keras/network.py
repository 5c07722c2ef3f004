"""The inside of a Keras model: its ports and its layers, the same for Keras 3 and tf_keras."""

from collections.abc import Sequence
from typing import Any

from dlpipe_worker import Refused

from .opening import Opened


class Network:
    """`inputs`, `outputs`: the symbolic tensors in a fixed order, with the names of their layers beside them."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self._is_3 = opened.library.__name__ == "keras"
        model = getattr(opened.model, "_functional", None) or opened.model  # a Sequential of Keras 3 wraps one
        self.model = model
        self.inputs: list[Any] = list(model.inputs)
        self.outputs: list[Any] = list(model.outputs)
        for tensor in self.inputs:
            if getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False):
                raise Refused(
                    f"the input {_layer_of(tensor)} is sparse or ragged, which ONNX has not", kind="unsupported"
                )
        self.input_names = [_layer_of(tensor) for tensor in self.inputs]
        self.output_names = _unique([_layer_of(tensor) for tensor in self.outputs])

    def call(self, values: Sequence[Any]) -> list[Any]:
        """The model at inference: values in the order of `inputs` -> tensors in the order of `outputs`."""
        structure = self.model._inputs_struct if self._is_3 else self.model._nested_inputs  # noqa: SLF001 - as below
        tree = self._tree()
        return list(tree.flatten(self.model(tree.pack_sequence_as(structure, list(values)), training=False)))

    def layers(self) -> tuple[list[str], Any]:
        """The names of all layers in the order of execution, and a model that gives all their outputs."""
        nodes = [node for _, each in sorted(self.model._nodes_by_depth.items(), reverse=True) for node in each]  # noqa: SLF001 - as below
        names, tensors = [], []
        for node in nodes:
            layer = node.operation if self._is_3 else node.layer
            if type(layer).__name__ == "InputLayer":
                continue
            found = self._tree().flatten(node.output_tensors if self._is_3 else node.outputs)
            names += [layer.name] * len(found)
            tensors += found
        return _unique(names), self.opened.library.Model(self.inputs, tensors)

    def _tree(self) -> Any:
        if self._is_3:
            return self.opened.library.tree
        import tensorflow as tf

        return tf.nest


def _layer_of(tensor: Any) -> str:
    return str(tensor._keras_history[0].name)  # noqa: SLF001 - there is no public way


def _unique(names: list[str]) -> list[str]:
    """A second output of `x` is `x.1`, as TensorFlow counts."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        found.append(f"{name}.{seen[name]}" if name in seen else name)
        seen[name] = seen.get(name, 0) + 1
    return found

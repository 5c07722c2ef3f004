"""cuDNN's recurrent layers (OptimizedRNNStack) as ONNX LSTM and RNN.

The one parameter holds, as cuDNN's documentation lays it out: for each layer and direction the weights of the input and
of the state, gate by gate (i, f, g, o), then in the same order two biases for each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph import Function
from .operators import converts
from .writer import Value, Writer

_GATES = {"lstm": 4, "rnnTanh": 1, "rnnReLU": 1}
_MOST_LAYERS = 64


@converts("OptimizedRNNStack", note="not cuDNN's GRU, which nothing on a CPU can be compared with")
def _stack(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    value, attributes = inputs[0], function.attributes
    kind, hidden, layers = attributes["recurrentOp"], int(attributes["hiddenSize"]), int(attributes["numLayers"])
    directions = 2 if attributes["bidirectional"] else 1
    dims = writer.fixed(function, value)
    held = writer.graph.array(inputs[1].name)
    if kind not in _GATES:
        raise writer.unsupported(function, f"cuDNN's {kind}")
    if value.dynamic != 2 or len(dims) != 1 or held is None or not 0 < layers <= _MOST_LAYERS or hidden < 1:
        raise writer.unsupported(function, "recurrent layers of cuDNN on something else than a sequence of vectors")
    parts = _Parameters(writer, function, np.asarray(held).ravel())
    rows = _GATES[kind] * hidden
    sizes = [dims[0]] + [directions * hidden] * (layers - 1)
    weights = [[(parts.take(rows, size), parts.take(rows, hidden)) for _ in range(directions)] for size in sizes]
    biases = [[parts.take(2, rows) for _ in range(directions)] for _ in sizes]
    parts.check_used_up()
    name = writer.emit(function, "Transpose", [value.name], perm=[1, 0, 2])
    for layer in range(layers):
        name = _layer(writer, function, name, weights[layer], biases[layer])
        name = writer.emit(function, "Transpose", [name], perm=[0, 2, 1, 3])
        name = writer.emit(function, "Reshape", [name, writer.ints(function, 0, 0, directions * hidden)])
    return writer.finish(function, "Transpose", [name], value, perm=[1, 0, 2])


def _layer(writer: Writer, function: Function, name: str, weights: list[Any], biases: list[Any]) -> str:
    """[T, N, I] -> [T, directions, N, H]."""
    kind = function.attributes["recurrentOp"]
    hidden = int(function.attributes["hiddenSize"])

    def ordered(array: Any) -> Any:
        """cuDNN's i, f, g, o as ONNX's i, o, f, g."""
        return np.concatenate([np.split(array, 4)[at] for at in (0, 3, 1, 2)]) if kind == "lstm" else array

    parameters = [
        np.stack([ordered(each[0]) for each in weights]),
        np.stack([ordered(each[1]) for each in weights]),
        np.stack([np.concatenate([ordered(each[0]), ordered(each[1])]) for each in biases]),
    ]
    names = [name, *(writer.constant(function, each, np.float32) for each in parameters)]
    how: dict[str, Any] = {"hidden_size": hidden, "direction": "bidirectional" if len(weights) == 2 else "forward"}
    if kind != "lstm":
        how["activations"] = [{"rnnTanh": "Tanh", "rnnReLU": "Relu"}[kind]] * len(weights)
    return writer.emit(function, "LSTM" if kind == "lstm" else "RNN", names, **how)


class _Parameters:
    def __init__(self, writer: Writer, function: Function, numbers: Any) -> None:
        self._writer, self._function = writer, function
        self._numbers = numbers
        self._at = 0

    def take(self, rows: int, columns: int) -> Any:
        """The next matrix."""
        found = self._numbers[self._at : self._at + rows * columns]
        if found.size != rows * columns:
            raise self._wrong()
        self._at += found.size
        return found.reshape(rows, columns)

    def check_used_up(self) -> None:
        if self._at != self._numbers.size:
            raise self._wrong()

    def _wrong(self) -> Exception:
        return self._writer.bad(self._function, f"{self._numbers.size:,} weights do not fit its layers")

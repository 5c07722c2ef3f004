"""One subgraph of the model on its way into one ONNX graph: which value holds which tensor, in which form.

A tensor has up to four forms, made when they are first asked for: as it is stored or as real numbers (what a quantised
one stands for), and in the file's own layout (NHWC) or in that of ONNX's image operators (NCHW). A chain of
convolutions so stays NCHW, with a transposition only where the file's own layout is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from onnx import helper

from ..kit.emit import Graph
from ..kit.flatbuffer import damaged
from .activations import steps
from .reading import Model, Operator, Quantisation, Subgraph, Tensor
from .weights import numpy_dtype, unpacked

TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)
NCHW_AXIS = (0, 2, 3, 1)  # an axis of NHWC -> that axis of NCHW
MAX_ELEMENTS = 1 << 26
INT64 = 7  # ONNX's number of the type
QUANTISED = {"int8", "uint8", "int16", "int4"}

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Form:
    index: int
    real: bool
    nchw: bool


class Whole:
    """What all graphs of a model have in common: constants may share bytes and graphs may be called several times, but
    not without end."""

    def __init__(self, model: Model) -> None:
        tensors = [each for subgraph in model.subgraphs for each in subgraph.tensors]
        self._bytes = 8 * sum(len(each.data) for each in tensors if each.data is not None) + (1 << 26)
        self.int16 = False  # whether there is a QuantizeLinear or DequantizeLinear of int16
        self._operators = 8 * sum(len(each.operators) for each in model.subgraphs) + 10_000

    def spend_bytes(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise damaged("its tensors share the same bytes over and over")

    def spend_operator(self) -> None:
        self._operators -= 1
        if self._operators < 0:
            raise damaged("its graphs call one another over and over")


class Scope:
    """Handlers of operators read tensors with `stored` and `real`, and give theirs with `result`."""

    def __init__(
        self, model: Model, subgraph: Subgraph, graph: Graph, whole: Whole | None = None, depth: int = 0
    ) -> None:
        self.model = model
        self.subgraph = subgraph
        self.graph = graph
        self._forms: dict[_Form, str] = {}
        # All at once, so that no value on the way takes the name of a tensor.
        self._names = [graph.fresh(tensor.name) for tensor in subgraph.tensors]
        self._arrays: dict[int, Array] = {}
        self._computed = {*subgraph.inputs, *(index for op in subgraph.operators for index in op.outputs)}
        self.whole = whole or Whole(model)
        self.depth = depth

    # What a tensor is.

    def tensor(self, index: int) -> Tensor:
        if index < 0:
            raise damaged("an operator lacks an input")
        return self.subgraph.tensors[index]

    def has(self, op: Operator, position: int) -> bool:
        """Whether the operator's optional input is given."""
        return position < len(op.inputs) and op.inputs[position] >= 0

    def quantisation(self, index: int) -> Quantisation | None:
        """Of a tensor that stands for real numbers."""
        tensor = self.tensor(index)
        return tensor.quantisation if tensor.dtype in QUANTISED else None

    def is_constant(self, index: int) -> bool:
        tensor = self.tensor(index)
        return index not in self._computed and not tensor.variable and (tensor.data is not None or 0 in tensor.shape)

    def array(self, index: int) -> Array | None:
        """A constant as it is stored, None for a tensor that is computed."""
        if not self.is_constant(index):
            return None
        if index not in self._arrays:
            self._arrays[index] = unpacked(self.tensor(index))
            self.whole.spend_bytes(self._arrays[index].nbytes)
        return self._arrays[index]

    def constant(self, op: Operator, position: int) -> Array:
        """An input that must be known now. Raises Refused where it is computed."""
        found = self.array(op.inputs[position])
        if found is None:
            name = self.tensor(op.inputs[position]).name
            raise op.refuse(f"takes its setting {name!r} from a computed tensor")
        return found

    def real_constant(self, index: int) -> Array | None:
        """The numbers, float32, that a constant stands for."""
        found, quantisation = self.array(index), self.quantisation(index)
        if found is None or quantisation is None:
            return found
        shape = [1] * found.ndim
        if quantisation.per_channel:
            shape[quantisation.axis] = -1
        scale, zero = quantisation.scale.reshape(shape), quantisation.zero_point.reshape(shape)
        return ((found.astype(np.int64) - zero) * scale.astype(np.float64)).astype(np.float32)

    def rank(self, index: int) -> int:
        return len(self.tensor(index).shape)

    def shape(self, op: Operator, index: int) -> tuple[int, ...]:
        """A shape that must be known now."""
        found = self.tensor(index).shape
        if None in found:
            name = self.tensor(index).name
            raise op.refuse(f"needs the shape of {name!r}, and {_shown(found)} has free dims", hint="fix them: --shape")
        return tuple(each for each in found if each is not None)

    def small(self, op: Operator, elements: int) -> None:
        """Raises Refused for a constant of ours that would be larger than any model has."""
        if elements > MAX_ELEMENTS:
            raise op.refuse(f"would need a constant of {elements:,} elements")

    # Values.

    def stored(self, index: int, nchw: bool = False) -> str:
        return self._form(_Form(index, False, nchw))

    def real(self, index: int, nchw: bool = False) -> str:
        """As float numbers where it is quantised."""
        return self._form(_Form(index, self.quantisation(index) is not None, nchw))

    def prefers_nchw(self, *indices: int) -> bool:
        """Whether all of these that are computed are of rank 4, and one of them is at hand in NCHW."""
        computed = [index for index in indices if not self.is_constant(index)]
        return (
            all(self.rank(index) == 4 for index in computed)
            and all(self.rank(index) <= 4 for index in indices)
            and any(_Form(index, real, True) in self._forms for index in computed for real in (False, True))
        )

    def ints(self, index: int, name: str) -> str:
        """A tensor of sizes or indices as int64, which is what ONNX takes them as."""
        array = self.array(index)
        if array is not None:
            return self.const(array, name, "int64")
        if self.tensor(index).dtype == "int64":
            return self.stored(index)
        return self.node("Cast", [self.stored(index)], name, to=INT64)

    def bind(self, index: int, value: str) -> None:
        """The tensor, as it is stored, is this value."""
        self._forms[_Form(index, False, False)] = value

    def node(self, op: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """A value on the way to a result, which is named `name`."""
        return self.graph.node(op, inputs, name=f"{name}__{op}", **attributes)

    def const(self, value: Any, name: str, dtype: str | None = None) -> str:
        return self.graph.constant(np.asarray(value, dtype), name)

    def name(self, index: int) -> str:
        """What the values of a tensor are named after."""
        return self._names[self.tensor(index).index]

    def result(
        self,
        index: int,
        op: str,
        inputs: Sequence[str],
        *,
        real: bool = False,
        nchw: bool = False,
        activation: str = "NONE",
        like: int | None = None,
        **attributes: Any,
    ) -> None:
        """The node that computes a tensor. real: it gives real numbers, which are quantised where the tensor is.

        like: the tensor whose stored numbers this one takes over: they keep their scale, whatever the file says.
        """
        quantisation = self.quantisation(index if like is None else like) if real else None
        form = _Form(index, False, nchw)
        chain: list[tuple[str, list[str], Mapping[str, Any]]] = [(op, list(inputs), attributes)]
        for each, bounds in steps(activation, quantisation, self.tensor(index).dtype):
            limits = [
                self.const(bound, f"{self.name(index)}__bound", "float32") if bound is not None else ""
                for bound in bounds
            ]
            chain.append((each, limits, {}))
        if quantisation is not None:
            chain.append(("QuantizeLinear", self._parameters(index, quantisation), {}))
        if op == "Identity" and len(chain) > 1:
            (_, (value,), _), *chain = chain
            chain[0] = (chain[0][0], [value, *chain[0][1]], chain[0][2])
        value = ""
        for position, (each, others, given) in enumerate(chain):
            label = self.name(index) if position == 0 else f"{self.name(index)}__{each}"
            target = self._target(form) if position == len(chain) - 1 else None
            value = self.graph.node(each, others if position == 0 else [value, *others], target, name=label, **given)
        self._forms[form] = value

    def _form(self, form: _Form) -> str:
        if form not in self._forms:
            self._forms[form] = self._made(form)
        return self._forms[form]

    def _made(self, form: _Form) -> str:
        tensor, other = self.tensor(form.index), _Form(form.index, form.real, not form.nchw)
        constant = self.array(form.index)
        if form.real and (constant is not None or other not in self._forms):
            return self._dequantised(form)
        if constant is not None:
            wide = constant.reshape((1,) * (4 - constant.ndim) + constant.shape) if form.nchw else constant
            return self.graph.constant(wide.transpose(TO_NCHW) if form.nchw else wide, self._target(form))
        if other in self._forms:
            order = TO_NCHW if form.nchw else TO_NHWC
            value = self._forms[other]
            return self.graph.node(
                "Transpose", [value], self._target(form), name=f"{self.name(form.index)}__layout", perm=order
            )
        if tensor.variable:
            raise Refused(
                f"the variable {tensor.name!r} keeps its content between runs", kind="unsupported", node=tensor.name
            )
        raise damaged(f"the tensor {tensor.name!r} is read before anything computes it")

    def _dequantised(self, form: _Form) -> str:
        quantisation = self.quantisation(form.index)
        assert quantisation is not None
        axis = None
        if quantisation.per_channel:
            axis = quantisation.axis
            if form.nchw:
                axis = NCHW_AXIS[axis + 4 - self.rank(form.index)]
        inputs = [self._form(_Form(form.index, False, form.nchw)), *self._parameters(form.index, quantisation)]
        label = f"{self.name(form.index)}__real"
        return self.graph.node("DequantizeLinear", inputs, self._target(form), name=label, axis=axis)

    def _parameters(self, index: int, quantisation: Quantisation) -> list[str]:
        return self.quantisers(quantisation, self.tensor(index).dtype, self.name(index))

    def quantisers(self, quantisation: Quantisation, dtype: str, name: str) -> list[str]:
        """The scale and the zero point of a QuantizeLinear or DequantizeLinear."""
        if dtype == "int16":
            self.whole.int16 = True
        scale, zero = quantisation.scale, quantisation.zero_point.astype(numpy_dtype(dtype))
        if not quantisation.per_channel:
            scale, zero = scale.reshape(()), zero.reshape(())
        return [self.graph.constant(scale, f"{name}__scale"), self.graph.constant(zero, f"{name}__zero_point")]

    def _target(self, form: _Form) -> str:
        """The name of a form's value: the tensor's own for what the file itself holds."""
        name = self.name(form.index)
        if not (form.real or form.nchw):
            return name
        return self.graph.fresh(name + ("__nchw" if form.nchw else "") + ("__real" if form.real else ""))


def element(dtype: str) -> int:
    """ONNX's number of a type of the schema."""
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(numpy_dtype(dtype))))


def _shown(shape: Sequence[int | None]) -> list[int | str]:
    return ["?" if each is None else each for each in shape]

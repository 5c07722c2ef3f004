"""Which of Keras' layers convert, found by converting each of them: Keras 3's, and those that only tf_keras has.

Every public layer class is made with small sizes for the arguments that it demands, called on inputs of every kind
until it takes one and converts.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from dlpipe_worker import Refused, Request

from ..tensorflow.convert import to_onnx
from .freezing import freeze
from .network import Network
from .opening import Opened
from .reading import Saved

SHAPES = ((6,), (8, 4), (9, 8, 4), (5, 6, 7, 2), (3, 5, 4, 2))
ABSTRACT = frozenset(
    {
        "Layer",
        "Wrapper",
        "InputLayer",
        "InputSpec",
        "AbstractRNNCell",
        "StackedRNNCells",
        "LSTMCell",
        "GRUCell",
        "SimpleRNNCell",
    }
)
# Arguments that may be left out, and must not.
ALSO = {("GroupNormalization", "groups"), ("Discretization", "num_bins"), ("CategoryEncoding", "num_tokens")}
SIZES: Mapping[str, Any] = {
    "units": 3, "filters": 2, "kernel_size": 2, "rate": 0.1, "stddev": 0.1, "output_dim": 3, "input_dim": 9, "n": 2,
    "num_heads": 2, "key_dim": 3, "equation": "ab,bc->ac", "output_shape": 3, "target_shape": (-1,), "height": 4,
    "width": 4, "dims": (1,), "max_value": 5, "num_bins": 4, "bin_boundaries": [0.0, 1.0], "factor": 0.1, "axes": 1,
    "output_size": 2, "num_query_heads": 2, "num_key_value_heads": 1, "head_dim": 3, "groups": 2, "num_tokens": 5,
    "size": 2, "activation": "relu", "theta": 0.5, "pool_size": 2, "scale": 0.5, "height_factor": 0.1, "max_number": 4,
    "width_factor": 0.1,
}  # fmt: skip


def operators(request: Request) -> dict[str, Any]:
    """-> {"operators": {name: {"support", "note"}}, "source"}."""
    import keras
    import tf_keras

    found: dict[str, dict[str, Any]] = {}
    classes = [(keras, name) for name in _classes(keras)]
    classes += [(tf_keras, name) for name in _classes(tf_keras) if not hasattr(keras.layers, name)]
    for number, (library, name) in enumerate(classes):
        request.progress(f"converting {name}", number / len(classes))
        found[name] = _support(library, name)
    source = f"the layers of keras {keras.__version__} and tf_keras {tf_keras.__version__}"
    return {"operators": dict(sorted(found.items())), "source": source}


def _classes(library: Any) -> Iterator[str]:
    for name, value in sorted(vars(library.layers).items()):
        if inspect.isclass(value) and issubclass(value, library.layers.Layer) and name not in ABSTRACT:
            yield name


def _support(library: Any, name: str) -> dict[str, Any]:
    if name == "Lambda":
        return {"support": "partial", "note": "only with --unsafe-load"}
    refused, failed = "", ""
    for shape in SHAPES:
        for count in (1, 2):
            try:
                model = _model(library, getattr(library.layers, name), shape, count)
            except Exception as error:  # noqa: BLE001 - a layer of unknown demands may raise anything
                failed = failed or f"not tried: {str(error).splitlines()[0]}"[:160]
                continue
            try:
                _convert(Opened(model, library, _NO_FILE, []))
            except Refused as error:
                refused = refused or str(error).splitlines()[0]
                continue
            return {"support": "full", "note": None}
    return {"support": "none", "note": refused} if refused else {"support": "partial", "note": failed}


def _convert(opened: Opened) -> None:
    loaded = freeze(Network(opened), (), {})
    inputs, outputs = ({name: tensor for tensor, (name, _) in side.items()} for side in (loaded.inputs, loaded.outputs))
    to_onnx(loaded.graph, inputs, outputs, 18)


_NO_FILE: Any = Saved.__new__(Saved)  # what is converted here was never saved


def _model(library: Any, kind: Any, shape: tuple[int, ...], count: int) -> Any:
    """A model of one layer, which takes its inputs as a list or one by one."""
    inputs = [library.Input(shape) for _ in range(count)]
    try:
        made = _instance(library, kind)(inputs if count > 1 else inputs[0])
    except Exception:
        if count == 1:
            raise
        made = _instance(library, kind)(*inputs)
    return library.Model(inputs, made)


def _instance(library: Any, kind: Any) -> Any:
    demanded = {}
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        if name == "self" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name == "layer":
            demanded[name] = library.layers.LSTM(2) if kind.__name__ == "Bidirectional" else library.layers.Dense(2)
        elif name == "cell":
            demanded[name] = library.layers.LSTMCell(2)
        elif parameter.default is parameter.empty or (kind.__name__, name) in ALSO:
            if name not in SIZES:
                raise TypeError(f"it demands {name}")
            demanded[name] = SIZES[name]
    return kind(**demanded)

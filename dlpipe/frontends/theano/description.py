"""`x.layers.json` (or `.toml`) beside a list of parameters: the network that they belong to, in Lasagne's words.

    {"input": [null, 1, 28, 28],
     "layers": [
       {"type": "Conv2DLayer", "num_filters": 32, "filter_size": 5, "nonlinearity": "rectify"},
       {"type": "MaxPool2DLayer", "pool_size": 2},
       {"type": "DenseLayer", "num_units": 10, "nonlinearity": "softmax", "name": "prob"}]}

The keys are the arguments of Lasagne's layers. A layer takes the one before it, or `"incoming": NAME` (a list of names
for ConcatLayer and the like); "input" is the network's input. `null` is the batch. The parameters are taken from the
list in the order of the layers, each layer's as `get_params()` gives them; `"b": null` says that a layer has no bias.
The last layer is the output, unless `"outputs": [NAME, ...]` says otherwise. Clean down to Python 3.6.
"""

import json
from pathlib import Path
from typing import Any, Dict, List

from dlpipe_worker import Refused

INPUT = "input"
EXAMPLE = '{"input": [null, 1, 28, 28], "layers": [{"type": "DenseLayer", "num_units": 10, "nonlinearity": "softmax"}]}'


class Layer:
    """`sources`: names of the layers it takes; `options`: its arguments."""

    def __init__(self, name: str, kind: str, sources: List[str], options: Dict[str, Any]) -> None:
        self.name = name
        self.kind = kind
        self.sources = sources
        self.options = options

    def refuse(self, message: str) -> Refused:
        return Refused(f"the layer {self.name} {message}", kind="unsupported", node=self.name, op=self.kind)


class Network:
    """`shape`: of the input, None for the batch; `dtype`: of the input."""

    def __init__(self, shape: List[Any], dtype: str, layers: List[Layer], outputs: List[str]) -> None:
        self.shape = shape
        self.dtype = dtype
        self.layers = layers
        self.outputs = outputs
        self.float_dtype = dtype if dtype.startswith("float") else "float32"


def read(model: Path) -> Network:
    """The description beside the file `model`. Raises Refused where there is none, or it is none."""
    stem = model.name[: -len(model.suffix)] if model.suffix else model.name
    for suffix in (".layers.json", ".layers.toml"):
        path = model.with_name(stem + suffix)
        if path.is_file():
            return _network(_parse(path), path.name)
    raise Refused(
        f"{model.name} holds parameters only: nothing says which layers they belong to",
        kind="unsupported",
        hint=f"describe the network in {stem}.layers.json beside it, in Lasagne's words, such as {EXAMPLE}",
    )


def _parse(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return json.loads(text)
        import tomllib

        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path.name} cannot be read: {error}") from None


def _network(value: Any, name: str) -> Network:
    if not isinstance(value, dict) or not isinstance(value.get("layers"), list) or not value["layers"]:
        raise Refused(f'{name} has no list "layers"', hint="such as " + EXAMPLE)
    shape = value.get("input")
    if not isinstance(shape, list) or not all(_is_dim(dim) for dim in shape) or not shape:
        raise Refused(f"{name} does not say what shape the input has", hint="such as " + EXAMPLE)
    layers = []  # type: List[Layer]
    known = {INPUT}
    for number, item in enumerate(value["layers"]):
        layers.append(_layer(item, number, layers[-1].name if layers else INPUT, known))
        known.add(layers[-1].name)
    outputs = value.get("outputs", [layers[-1].name])
    if not isinstance(outputs, list) or not outputs or not all(each in known for each in outputs):
        raise Refused(f"{name}: the outputs {outputs} are not layers")
    batched = [None if dim in (None, -1, 0) else dim for dim in shape]  # TOML has no null
    return Network(batched, str(value.get("dtype", "float32")), layers, outputs)


def _is_dim(dim: Any) -> bool:
    return dim is None or (isinstance(dim, int) and not isinstance(dim, bool) and -1 <= dim < 1 << 24)


def _layer(item: Any, number: int, before: str, known: Any) -> Layer:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        raise Refused(f'layer {number} has no "type"')
    options = dict(item)
    kind = options.pop("type")
    name = str(options.pop("name", None) or f"{kind}_{number}")
    sources = options.pop("incoming", options.pop("incomings", before))
    sources = [str(each) for each in (sources if isinstance(sources, list) else [sources])]
    for source in sources:
        if source not in known:
            raise Refused(f"the layer {name} takes {source!r}, which no layer before it is called", node=name)
    if name in known:
        raise Refused(f"two layers are called {name}", node=name)
    return Layer(name, kind, sources, options)

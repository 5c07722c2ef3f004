"""The original, executed by Keras itself."""

from collections.abc import Mapping
from typing import Any

from dlpipe_worker import Refused, Request

from ..kit.executing import Arrays, Model
from ..tensorflow.graphs import first_line
from ..tensorflow.original import open_graph
from . import reading
from .freezing import freeze
from .network import Network
from .opening import MATCHED, open_saved


def open_model(request: Request, contract: Mapping[str, Any], threads: int | None) -> Model:
    """With `threads` given (timing): the graph that Keras makes of it, in a session with that many threads."""
    params = request.params
    route = params.get("route") or MATCHED
    network = Network(open_saved(request.inputs["source"], params, route))
    if threads:
        return _Timed(network, contract, params.get("inputs", {}), threads)
    return _Original(network, contract)


def kind(request: Request) -> str:
    """Keras 1, and Keras 2 on Theano, are executed by tf_keras here: another implementation of the same net."""
    saved = reading.read(request.inputs["source"], request.params["entry"])
    return "independent" if saved.generation == 1 or saved.backend == "theano" else "original"


class _Original(Model):
    """As `predict` runs it: as a graph. (Called eagerly on a CPU, a convolution of Keras 3.15 with a bias and the
    channels first gives wrong numbers.)"""

    def __init__(self, network: Network, contract: Mapping[str, Any]) -> None:
        import tensorflow as tf

        self._network = network
        self._run = tf.function(network.call, autograph=False)
        self.tool = network.opened.tool
        self._inputs = {each["source"]: each["name"] for each in contract["inputs"]}
        self._outputs = {each["source"]: each["name"] for each in contract["outputs"]}
        self._all: tuple[list[str], Any] | None = None

    def run(self, feeds: Arrays) -> Arrays:
        made = dict(zip(self._network.output_names, self._call(self._run, feeds), strict=True))
        return {name: made[source] for source, name in self._outputs.items()}

    def layers(self, feeds: Arrays) -> Arrays:
        if self._all is None:
            import tensorflow as tf

            names, model = self._network.layers()
            self._all = names, tf.function(lambda values: model(values, training=False), autograph=False)
        names, run = self._all
        made = self._call(run, feeds)
        return dict(zip(names, made, strict=True))

    def _call(self, call: Any, feeds: Arrays) -> list[Any]:
        import numpy as np
        import tensorflow as tf

        values = [self._fed(name, feeds) for name in self._network.input_names]
        try:
            made = call(values)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise Refused(f"Keras cannot run the model: {first_line(error)}") from None
        return [np.asarray(each) for each in (made if isinstance(made, list | tuple) else [made])]

    def _fed(self, name: str, feeds: Arrays) -> Any:
        import tensorflow as tf

        if name not in self._inputs:
            raise Refused(f"the input {name} is not fed: preprocessing was cut off there", kind="unsupported")
        return tf.convert_to_tensor(feeds[self._inputs[name]])


class _Timed(Model):
    def __init__(self, network: Network, contract: Mapping[str, Any], asked: Any, threads: int) -> None:
        self.tool = network.opened.tool
        loaded = freeze(network, (), asked)
        tensors = {source: tensor for tensor, (_, source) in [*loaded.inputs.items(), *loaded.outputs.items()]}
        self._inputs = [each["name"] for each in contract["inputs"]]
        self._outputs = [each["name"] for each in contract["outputs"]]
        self._open = open_graph(loaded.graph, threads)
        self._run = self._open.__enter__().runner(
            [tensors[each["source"]] for each in contract["outputs"]],
            [tensors[each["source"]] for each in contract["inputs"]],
        )

    def run(self, feeds: Arrays) -> Arrays:
        return dict(zip(self._outputs, self._run(*[feeds[name] for name in self._inputs]), strict=True))

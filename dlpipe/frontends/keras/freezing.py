"""A Keras model as one TensorFlow graph with its weights as constants: what the TensorFlow frontend takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe_worker import Refused

from ..tensorflow import guard
from ..tensorflow.graphs import Graph, first_line
from ..tensorflow.loading import Loaded
from ..tensorflow.ports import option_for, simple_names
from .network import Network

_BY_XLA = ("_XlaMustCompile", "_noinline", "_xla_compile_id")


def freeze(network: Network, outputs: Sequence[str], asked: Mapping[str, Mapping[str, Any]]) -> Loaded:
    """`outputs`: those wanted, or none for all. `asked`: the user's word on shapes.

    Raises Refused where the model does not stay within one graph.
    """
    chosen = list(outputs) or network.output_names
    for name in chosen:
        if name not in network.output_names:
            known = ", ".join(network.output_names)
            raise Refused(f"the model has no output {name!r}; it has {known}", kind="unsupported")
    graph, fed, made = _freeze(network, asked)
    guard.check(graph, frozen=True)
    tensors = dict(zip(network.output_names, made, strict=True))
    names = simple_names([*network.input_names, *chosen])
    return Loaded(
        graph,
        {tensor: (names[name], name) for name, tensor in zip(network.input_names, fed, strict=True)},
        {tensors[name]: (names[name], name) for name in chosen},
    )


def _freeze(network: Network, asked: Mapping[str, Mapping[str, Any]]) -> tuple[Graph, list[str], list[str]]:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def infer(*values: Any) -> list[Any]:
        # An Identity each, so that two outputs, or an output and an input, never are one tensor.
        return [tf.identity(value) for value in network.call(values)]

    specs = []
    for name, tensor in zip(network.input_names, network.inputs, strict=True):
        shape = option_for(asked, name).get("shape") or list(tensor.shape)
        dims = [dim if isinstance(dim, int) and dim >= 0 else None for dim in shape]
        specs.append(tf.TensorSpec(dims, tensor.dtype))
    try:
        function = tf.function(infer, autograph=False).get_concrete_function(*specs)
        frozen = convert_variables_to_constants_v2(function, lower_control_flow=False, aggressive_inlining=True)
    except Exception as error:  # noqa: BLE001 - what layers raise when they are traced is up to each
        message = f"TensorFlow cannot make one graph of the model: {first_line(error)}"
        raise Refused(message, kind="unsupported") from None
    fed = [tensor.name for tensor in frozen.inputs if tensor.dtype != tf.resource]
    if len(fed) != len(specs) or len(fed) != len(frozen.inputs):
        raise Refused(
            "the model keeps something beside its weights (a table of strings, a state): one graph cannot hold it",
            kind="unsupported",
            hint="cut the model behind its lookup layer, and feed it with the indices",
        )
    graph = frozen.graph.as_graph_def()
    _allow_inlining(graph)
    return graph, fed, [tensor.name for tensor in frozen.outputs]


def _allow_inlining(graph: Graph) -> None:
    """Keras has XLA compile some layers (convolutions in groups): calls that would not be inlined, nor converted."""
    for marked in [*graph.node, *graph.library.function, *(n for f in graph.library.function for n in f.node_def)]:
        for name in _BY_XLA:
            marked.attr.pop(name, None)

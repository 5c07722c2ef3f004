"""Reading a model as it was given: one frozen graph, its ports, and the switches of training among them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dlpipe_worker import Refused

from . import checkpoint, guard, interface, saved_model
from .graphs import Graph, Index, split
from .original import import_graph, read_checked
from .ports import simple_names


@dataclass
class Loaded:
    """A frozen graph and its ports: the tensor in it -> (name for the user, tensor in the model as given)."""

    graph: Graph
    inputs: dict[str, tuple[str, str]]
    outputs: dict[str, tuple[str, str]]
    settings: list[interface.Setting] = field(default_factory=list)
    switches: dict[str, str] = field(default_factory=dict)  # tensor of a setting -> the one in the model as given


def load(folder: str, params: Mapping[str, Any]) -> Loaded:
    """Read, check and freeze. The user's choice of inputs and outputs is applied."""
    if params["format"] == "tensorflow/saved-model":
        return _load_saved_model(folder, params)
    if params["format"] == "tensorflow/metagraph":
        path = checkpoint.prefix(folder, params["entry"])
        graph, outputs = checkpoint.freeze(path, list(params.get("outputs", ())))
        return _load_graph(graph, {**params, "outputs": outputs})
    return _load_graph(read_checked(folder, params["entry"]), params)


def _load_graph(graph: Graph, params: Mapping[str, Any]) -> Loaded:
    inferred, index = import_graph(graph), Index(graph)
    chosen = [interface.named_tensor(name, index, "output") for name in params.get("outputs", ())]
    outputs = chosen or interface.find_outputs(graph, index, inferred)
    named = [interface.named_tensor(name, index, "input") for name in params.get("inputs", {})]
    needed = index.ancestors((split(name)[0] for name in outputs), stop=named)
    found = [name for name in interface.find_inputs(graph) if split(name)[0] in needed and name not in named]
    settings = interface.find_settings(found, inferred, index)
    inputs = [*named, *[name for name in found if name not in {each.tensor for each in settings}]]
    names = simple_names([*inputs, *outputs])
    ports = {name: (names[name], name) for name in names}
    return Loaded(
        graph,
        {name: ports[name] for name in inputs},
        {name: ports[name] for name in outputs},
        settings,
        {each.tensor: each.tensor for each in settings},
    )


def _load_saved_model(folder: str, params: Mapping[str, Any]) -> Loaded:
    path = saved_model.locate(folder, params["entry"])
    meta = saved_model.read_meta_graph(path)
    guard.check(meta.graph_def, frozen=False)
    signature = saved_model.read_signature(meta)
    wanted = list(params.get("outputs", ())) or list(signature.outputs)
    for name in [*wanted, *params.get("inputs", {})]:
        if name not in signature.outputs and name not in signature.inputs:
            known = ", ".join([*signature.inputs, *signature.outputs])
            raise Refused(f"the signature {signature.key} has no {name!r}; it has {known}", kind="unsupported")
    graph, inputs, outputs = saved_model.freeze(path, meta, signature)
    guard.check(graph, frozen=True)
    names = simple_names([*inputs, *wanted])
    loaded = Loaded(
        graph,
        {tensor: (names[name], signature.inputs[name]) for name, tensor in inputs.items()},
        {outputs[name]: (names[name], signature.outputs[name]) for name in wanted},
    )
    loaded.settings = interface.find_settings(list(loaded.inputs), import_graph(graph), Index(graph))
    for each in loaded.settings:
        loaded.switches[each.tensor] = loaded.inputs.pop(each.tensor)[1]
    return loaded

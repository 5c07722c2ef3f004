"""The weights of Keras 1 and 2 (HDF5, a group per layer) into a model of tf_keras."""

from typing import Any

from dlpipe_worker import Refused

from .reading import Saved


def load(model: Any, saved: Saved) -> None:
    """By the order of the layers, as Keras does; a file of Keras 1, whose architecture was rebuilt, by their names.

    Raises Refused where the file lacks the weights of a layer: loading by name would leave it as it was initialised.
    """
    by_name = saved.generation == 1
    if by_name:
        held = _names(saved)
        for layer in model.layers:
            if layer.weights and layer.name not in held:
                raise Refused(
                    f"the file has no weights for the layer {layer.name}", node=layer.name, op=type(layer).__name__
                )
    model.load_weights(str(saved.weights), by_name=by_name)


def _names(saved: Saved) -> set[str]:
    """The layers that the file holds weights of."""
    import h5py

    with h5py.File(saved.weights, "r") as file:
        group = file if "layer_names" in file.attrs or "model_weights" not in file else file["model_weights"]
        names = [each.decode() if isinstance(each, bytes) else str(each) for each in group.attrs.get("layer_names", ())]
        return {name for name in names if len(group[name].attrs.get("weight_names", ()))}

"""What later Keras 2 understands otherwise than the Keras that wrote the file did, said in the file's place."""

from typing import Any

from . import configs
from .configs import Config

_OLD_GRU = {"reset_after": False}  # the only kind there was before Keras 2.1.6 wrote which it is
_CUDNN = {"recurrent_activation": "sigmoid", "activation": "tanh"}


def complete(config: Config) -> None:
    """Change a configuration in place. Layers that only run on a GPU become those that compute the same."""
    for _, item in configs.objects(config):
        inner = item["config"]
        if not isinstance(inner, dict):
            continue
        if item["class_name"] == "GRU":
            item["config"] = {**_OLD_GRU, **inner}
        elif item["class_name"] == "CuDNNLSTM":
            item["class_name"], item["config"] = "LSTM", {**inner, **_CUDNN}
        elif item["class_name"] == "CuDNNGRU":
            item["class_name"], item["config"] = "GRU", {**inner, **_CUDNN, "reset_after": True}


def known_functions() -> dict[str, Any]:
    """What Keras' own model zoo calls by name, and tf_keras does not know."""
    import tensorflow as tf

    return {"relu6": tf.nn.relu6}

"""Which of TensorFlow's operators are converted, told by TensorFlow and tf2onnx as they are installed."""

from typing import Any

from .boundary import KINDS

_CUT = "kept as preprocessing in TensorFlow, where it begins the graph"
_OURS = {"Erfc"}  # converted by a handler of ours, see convert.py


def coverage() -> dict[str, Any]:
    """{"operators": {name: {"support", "note"}}, "source": str}."""
    import tensorflow as tf
    import tf2onnx.tfonnx  # registers the handlers
    from tf2onnx.handler import tf_op

    handled = {*tf_op.create_mapping(18, {}), *_OURS}
    cut = {name for names in KINDS.values() for name in names}
    found: dict[str, Any] = {}
    for name in dir(tf.raw_ops):
        if name[0].isupper():
            support = "full" if name in handled else "partial" if name in cut else "none"
            found[name] = {"support": support, "note": _CUT if support == "partial" else None}
    source = f"tf.raw_ops of TensorFlow {tf.__version__}, against the handlers of tf2onnx {tf2onnx.__version__}"
    return {"operators": found, "source": source}

"""SavedModel folders: their signature, their session, and their weights frozen into one graph."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

from .graphs import Graph, first_line, parse_text

PREFERRED = "serving_default"
_INTERNAL = "__saved_model_init_op"
_FAULTS = (ValueError, KeyError, IndexError, TypeError, OSError)  # of a damaged file, besides TensorFlow's own


@dataclass(frozen=True)
class Signature:
    """`inputs` and `outputs`: the name that callers use -> the tensor in the SavedModel's own graph."""

    key: str
    inputs: dict[str, str]
    outputs: dict[str, str]


def locate(folder: str, entry: str) -> Path:
    """The SavedModel's folder, whether it or its saved_model.pb was named."""
    path = Path(folder) / entry
    return path.parent if path.is_file() else path


def read_meta_graph(path: Path) -> Any:
    """The MetaGraphDef tagged `serve`, else the only one."""
    from google.protobuf.message import DecodeError
    from google.protobuf.text_format import ParseError
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    binary = path / "saved_model.pb"
    try:
        if binary.is_file():
            model.ParseFromString(binary.read_bytes())
        else:
            parse_text(binary.with_suffix(".pbtxt").read_bytes(), model)
    except OSError as error:
        hint = "give the folder that holds saved_model.pb and variables/"
        raise Refused(f"there is no SavedModel: {error.strerror}", hint=hint) from None
    except (DecodeError, ParseError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"saved_model.pb is damaged: {first_line(error)}") from None
    served = [meta for meta in model.meta_graphs if "serve" in meta.meta_info_def.tags]
    if len(served) == 1:
        return served[0]
    if len(model.meta_graphs) == 1:
        return model.meta_graphs[0]
    tags = [sorted(meta.meta_info_def.tags) for meta in model.meta_graphs]
    raise Refused(
        f"the SavedModel holds {len(model.meta_graphs)} graphs with the tags {tags}: none is plainly to be served"
    )


def read_signature(meta: Any) -> Signature:
    """`serving_default`, else the only one. Raises Refused when there is none or several."""
    usable = {key: value for key, value in sorted(meta.signature_def.items()) if key != _INTERNAL and value.outputs}
    key = PREFERRED if PREFERRED in usable else next(iter(usable)) if len(usable) == 1 else None
    if key is None:
        raise Refused(
            f"the SavedModel has {'the signatures ' + ', '.join(usable) if usable else 'no signature'}: "
            "nothing says what its inputs and outputs are",
            kind="unsupported",
            hint="save it with tf.saved_model.save(model, folder, signatures={'serving_default': function})",
        )
    chosen = usable[key]
    return Signature(
        key,
        {name: info.name for name, info in sorted(chosen.inputs.items())},
        {name: info.name for name, info in sorted(chosen.outputs.items())},
    )


@contextmanager
def open_session(path: Path, meta: Any, config: Any) -> Iterator[tuple[Any, Any]]:
    """The model with its variables restored, in a session of its own: (session, tf.Graph)."""
    import tensorflow as tf

    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph, config=config)
    try:
        try:
            with graph.as_default(), session.as_default():  # for the loading only, see `open_graph`
                tf.compat.v1.saved_model.loader.load(session, list(meta.meta_info_def.tags), str(path))
        except (tf.errors.OpError, *_FAULTS) as error:
            raise _damaged(path, error) from None
        yield session, graph
    finally:
        session.close()


def freeze(path: Path, meta: Any, signature: Signature) -> tuple[Graph, dict[str, str], dict[str, str]]:
    """One GraphDef with the weights as constants and the function calls inlined.

    Returns it with the names of its tensors: signature input -> tensor, signature output -> tensor.
    """
    if meta.HasField("object_graph_def") and meta.object_graph_def.nodes:
        loaded = _restored(path, meta)
        if loaded is not None:
            return _freeze_functions(path, loaded, signature)
    return _freeze_session(path, meta, signature)


def _restored(path: Path, meta: Any) -> Any:
    """The objects. None where an optimizer of Keras 2 is among them: they cannot be restored without that Keras."""
    import tensorflow as tf

    try:
        return tf.saved_model.load(str(path), tags=list(meta.meta_info_def.tags))
    except AttributeError:
        return None
    except (tf.errors.OpError, *_FAULTS) as error:
        raise _damaged(path, error) from None


def _freeze_functions(path: Path, loaded: Any, signature: Signature) -> tuple[Graph, dict[str, str], dict[str, str]]:
    """TensorFlow 2: a signature is a function that captured its variables."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    try:
        function = loaded.signatures[signature.key]
        frozen = convert_variables_to_constants_v2(function, lower_control_flow=False, aggressive_inlining=True)
    except (tf.errors.OpError, *_FAULTS) as error:
        raise _damaged(path, error) from None
    fed = [tensor for tensor in frozen.inputs if tensor.dtype != tf.resource]
    names = sorted(function.structured_input_signature[1])
    results = sorted(function.structured_outputs)
    if len(fed) != len(names) or len(frozen.outputs) != len(results):
        raise Refused("the SavedModel's signature takes or returns something other than tensors", kind="unsupported")
    return (
        frozen.graph.as_graph_def(),
        {name: tensor.name for name, tensor in zip(names, fed, strict=True)},
        {name: tensor.name for name, tensor in zip(results, frozen.outputs, strict=True)},
    )


def _freeze_session(path: Path, meta: Any, signature: Signature) -> tuple[Graph, dict[str, str], dict[str, str]]:
    """TensorFlow 1: one graph and its variables. Calls of functions, where there are any, are inlined."""
    import tensorflow as tf
    from tf2onnx.tf_loader import tf_optimize

    outputs = [tensor.split(":")[0] for tensor in signature.outputs.values()]
    with open_session(path, meta, None) as (session, graph), graph.as_default():
        try:
            frozen = tf.compat.v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), outputs)
            if frozen.library.function:
                frozen = tf_optimize(list(signature.inputs.values()), list(signature.outputs.values()), frozen)
        except (tf.errors.OpError, ValueError, KeyError, TypeError) as error:
            raise _damaged(path, error) from None
    return frozen, signature.inputs, signature.outputs


def _damaged(path: Path, error: BaseException) -> Refused:
    message = first_line(error).replace(str(path), "the folder")
    hint = None
    if not (path / "variables").is_dir():
        hint = "the folder variables/ is missing: give the whole SavedModel folder"
    return Refused(f"TensorFlow cannot load the SavedModel: {message}", hint=hint)

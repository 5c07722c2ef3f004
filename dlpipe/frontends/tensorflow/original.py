"""The model as it was given, executed by TensorFlow itself."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

from . import guard, saved_model
from .graphs import Graph, first_line, read_graph

SECONDS_PER_RUN = 600


class Original:
    """An open session on a graph. Tensors go by their names in that graph ("x:0")."""

    def __init__(self, session: Any, graph: Any) -> None:
        self._session = session
        self.graph = graph

    def run(self, fetches: Sequence[str], feeds: Mapping[str, Any], seconds: int = SECONDS_PER_RUN) -> list[Any]:
        """Raises Refused when TensorFlow cannot run the model on these values within the time."""
        import tensorflow as tf

        options = tf.compat.v1.RunOptions(timeout_in_ms=seconds * 1000)
        try:
            return list(self._session.run(list(fetches), dict(feeds), options=options))
        except (tf.errors.OpError, ValueError, TypeError) as error:
            op = getattr(error, "op", None)
            raise Refused(
                f"TensorFlow cannot run the model: {first_line(error)}",
                node=op.name if op is not None else None,
                op=op.type if op is not None else None,
            ) from None

    def runner(self, fetches: Sequence[str], feeds: Sequence[str]) -> Any:
        """A prepared call: values in the order of `feeds` -> values in the order of `fetches`, at the least cost."""
        return self._session.make_callable(list(fetches), feed_list=list(feeds))

    def has(self, tensor: str) -> bool:
        try:
            self.graph.get_tensor_by_name(tensor)
        except (KeyError, ValueError):
            return False
        return True


@contextmanager
def open_original(folder: str, entry: str, form: str, threads: int | None = None) -> Iterator[Original]:
    """`form`: "tensorflow/graphdef" (also text), "tensorflow/saved-model" or "tensorflow/metagraph". Nothing is
    converted."""
    from . import checkpoint

    if form == "tensorflow/saved-model":
        path = saved_model.locate(folder, entry)
        meta = saved_model.read_meta_graph(path)
        guard.check(meta.graph_def, frozen=False)
        with saved_model.open_session(path, meta, session_config(threads)) as (session, graph):
            yield Original(session, graph)
    elif form == "tensorflow/metagraph":
        prefix = checkpoint.prefix(folder, entry)
        with checkpoint.open_session(prefix, checkpoint.read_meta_graph(prefix), session_config(threads)) as opened:
            yield Original(*opened)
    else:
        with open_graph(read_checked(folder, entry), threads) as original:
            yield original


def read_checked(folder: str, entry: str) -> Graph:
    graph = read_graph(Path(folder) / entry)
    guard.check(graph, frozen=True)
    return graph


@contextmanager
def open_graph(graph_def: Graph, threads: int | None = None) -> Iterator[Original]:
    import tensorflow as tf

    graph = import_graph(graph_def)
    # Not entered: a session kept open for timing must not make its graph the default of what this worker does next.
    session = tf.compat.v1.Session(graph=graph, config=session_config(threads))
    try:
        yield Original(session, graph)
    finally:
        session.close()


def import_graph(graph_def: Graph) -> Any:
    """A tf.Graph with shapes inferred. Raises Refused where TensorFlow itself finds the graph invalid."""
    import tensorflow as tf

    graph = tf.Graph()
    try:
        with graph.as_default():
            tf.compat.v1.import_graph_def(graph_def, name="")
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        message = first_line(error)
        blamed = next(
            (node for node in graph_def.node if f"'{node.name}'" in message or f"node {node.name}" in message), None
        )
        raise Refused(
            f"TensorFlow refuses the graph: {message}",
            node=blamed.name if blamed is not None else None,
            op=blamed.op if blamed is not None else None,
        ) from None
    guard.check_shapes(graph)
    return graph


def session_config(threads: int | None) -> Any:
    """Thread pools of the session's own when `threads` is given, else TensorFlow's shared ones."""
    import tensorflow as tf

    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    if threads:
        config.use_per_session_threads = True
        config.intra_op_parallelism_threads = threads
        config.inter_op_parallelism_threads = threads
    return config

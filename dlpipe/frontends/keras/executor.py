"""Files that Keras wrote on the Theano backend, executed by Keras 2 on Theano. Runs in the theano toolchain."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from dlpipe_worker import Refused, Request

from ..kit import executing

SMALL = 300_000  # weights; below it Theano's operators in Python answer sooner than a compiler could make others


def open_model(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> executing.Model:
    return _Original(request, contract, compiled=threads is not None)


executing.serve(__name__, open_model)


class _Original(executing.Model):
    def __init__(self, request: Request, contract: Mapping[str, Any], compiled: bool) -> None:
        _configure()
        import keras
        import theano

        self.tool = "keras {} on theano {}".format(keras.__version__, theano.__version__)
        self._model = _load(Path(request.inputs["source"], request.params["entry"]), request)
        self._options: Dict[str, Any] = {}
        if theano.config.cxx and (compiled or self._model.count_params() > SMALL):
            self._options = {"mode": theano.compile.mode.Mode("cvm", "fast_run")}
        self._model._function_kwargs = self._options  # noqa: SLF001 - else only `compile`, for training, sets them
        self._inputs = {each["source"]: each["name"] for each in contract["inputs"]}
        self._outputs = {each["source"]: each["name"] for each in contract["outputs"]}
        self._all = None  # type: Any

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        made = _listed(self._model.predict_on_batch(self._fed(feeds)))
        named = dict(zip(_unique(self._model.output_names), made))
        return {name: named[source] for source, name in self._outputs.items()}

    def layers(self, feeds: executing.Arrays) -> executing.Arrays:
        from keras.models import Model

        names, tensors = [], []
        for layer in self._model.layers:
            if type(layer).__name__ == "InputLayer":
                continue
            for node in range(len(layer._inbound_nodes)):  # noqa: SLF001 - there is no public way
                for tensor in _listed(layer.get_output_at(node)):
                    names.append(layer.name)
                    tensors.append(tensor)
        if self._all is None:
            self._all = Model(self._model.inputs, tensors)
            self._all._function_kwargs = self._options  # noqa: SLF001 - as above
        return dict(zip(_unique(names), _listed(self._all.predict_on_batch(self._fed(feeds)))))

    def _fed(self, feeds: executing.Arrays) -> List[Any]:
        return [feeds[self._inputs[name]] for name in self._model.input_names]


def _configure() -> None:
    """Operators in Python unless asked for otherwise. Theano reads this when it is imported."""
    if "THEANO_FLAGS" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="theano-")
    flags = ["device=cpu", "floatX=float32", "linker=py", "optimizer=None"]
    flags += ["base_compiledir=" + folder, "cxx=" + (shutil.which("g++") or "")]
    os.environ["THEANO_FLAGS"] = ",".join(flags)
    os.environ["KERAS_BACKEND"] = "theano"
    os.environ["HOME"] = os.environ["KERAS_HOME"] = folder  # both write settings there


def _load(path: Path, request: Request) -> Any:
    import h5py
    import keras

    if path.suffix == ".json":
        config = json.loads(path.read_text(encoding="utf-8"))
        _refuse_code(config, request)
        model = keras.models.model_from_json(json.dumps(config))
        (weights,) = [each for each in sorted(path.parent.iterdir()) if each.suffix in (".h5", ".hdf5")]
        model.load_weights(str(weights))
        return model
    with h5py.File(str(path), "r") as opened:
        value = opened.attrs["model_config"]
    _refuse_code(json.loads(value.decode("utf-8") if isinstance(value, bytes) else value), request)
    return keras.models.load_model(str(path), compile=False)


def _refuse_code(config: Any, request: Request) -> None:
    """A Lambda holds Python code, which loading would make callable."""
    if request.params.get("unsafe_load"):
        return
    if isinstance(config, dict):
        if config.get("class_name") == "Lambda":
            raise Refused(
                "the model has a Lambda layer: it runs Python code that is in the file",
                kind="unsupported",
                hint="if you trust the file, say --unsafe-load",
                op="Lambda",
            )
        config = list(config.values())
    if isinstance(config, list):
        for each in config:
            _refuse_code(each, request)


def _listed(value: Any) -> List[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _unique(names: List[str]) -> List[str]:
    """A second output of `x` is `x.1`."""
    seen = {}  # type: Dict[str, int]
    found = []
    for name in names:
        found.append("{}.{}".format(name, seen[name]) if name in seen else name)
        seen[name] = seen.get(name, 0) + 1
    return found

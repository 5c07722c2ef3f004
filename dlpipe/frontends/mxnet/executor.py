"""MXNet itself: runs originals. Runs in the mxnet toolchain (Python 3.8)."""

import ctypes
import json
import logging
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

os.environ.setdefault("MXNET_STORAGE_FALLBACK_LOG_VERBOSE", "0")
os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")

import mxnet as mx
from dlpipe_worker import Refused, Request, operation

from ..kit import executing
from . import naming

logging.getLogger().setLevel(logging.ERROR)
TOOL = "mxnet " + mx.__version__


class MxnetModel(executing.Model):
    """A symbol bound once for each set of input shapes."""

    tool = TOOL

    def __init__(self, request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> None:
        if threads:
            mx.base._LIB.MXSetNumOMPThreads(ctypes.c_int(threads))  # noqa: SLF001  the only door there is
        source, entry = Path(request.inputs["source"]), request.params["entry"]
        self._symbol = load_symbol(source, entry, request.params.get("outputs") or [])
        self._outputs = [each["name"] for each in contract["outputs"]]
        self._params = load_params(source, entry, self._symbol)
        self._bound = {}  # type: Dict[Any, Any]
        self._internal = None  # type: Any

    def run(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        found = self._execute(self._symbol, "outputs", feeds)
        names = []  # type: List[str]
        values = []
        for name, value in zip(self._symbol.list_outputs(), found):
            if name not in names:  # the same output twice counts once
                names.append(name)
                values.append(value)
        return dict(zip(self._outputs, values))

    def layers(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        """The first output of every node that is no variable, by the node's name."""
        internals = self._symbol.get_internals()
        variables = set(self._symbol.list_inputs())
        wanted = {}  # type: Dict[str, Any]
        for index, name in enumerate(internals.list_outputs()):
            if name not in variables:
                layer = internals[index].name
                wanted.setdefault(layer, internals[index])
        group = mx.sym.Group(list(wanted.values()))
        return dict(zip(wanted, self._execute(group, "layers", feeds)))

    def _execute(self, symbol: Any, which: str, feeds: Dict[str, Any]) -> List[Any]:
        key = (which, tuple((name, value.shape, str(value.dtype)) for name, value in sorted(feeds.items())))
        try:
            if key not in self._bound:
                self._bound[key] = self._bind(symbol, feeds)
            bound = self._bound[key]
            for name, value in feeds.items():
                if name in bound.arg_dict:
                    bound.arg_dict[name][:] = mx.nd.array(value, dtype=value.dtype)
            return [each.asnumpy() for each in bound.forward(is_train=False)]
        except mx.base.MXNetError as error:
            raise Refused("MXNet cannot run the model: " + first_line(error), kind="unsupported") from error

    def _bind(self, symbol: Any, feeds: Dict[str, Any]) -> Any:
        known = {name: value.shape for name, value in self._params.items()}
        names, auxiliary = symbol.list_arguments(), symbol.list_auxiliary_states()
        shapes = {name: feeds[name].shape for name in names if name in feeds}
        shapes.update({name: known[name] for name in names if name in known})
        found, _, more = symbol.infer_shape(**shapes)
        if found is None:
            raise Refused("MXNet cannot infer the shapes of the model", kind="unsupported")
        arguments = {}
        for name, shape in zip(names, found):
            if name in self._params:
                arguments[name] = self._params[name]
            elif name in feeds:
                arguments[name] = mx.nd.array(feeds[name], dtype=feeds[name].dtype)
            else:  # a label, which inference does not read
                arguments[name] = mx.nd.zeros(shape)
        states = {}
        for name, shape in zip(auxiliary, more):
            states[name] = self._params[name] if name in self._params else mx.nd.zeros(shape)
        return symbol.bind(mx.cpu(), args=arguments, aux_states=states, grad_req="null")


def load_symbol(source: Path, entry: str, outputs: List[str]) -> Any:
    """With the outputs that the user named as its heads. MXNet brings old versions to its own."""
    found = json.loads(Path(source, entry).read_text(encoding="utf-8"))
    if outputs:
        heads = naming.find_heads(found["nodes"], outputs)
        found["heads"] = [[node, index, 0] for node, index in heads]
    try:
        return mx.sym.load_json(json.dumps(found))
    except mx.base.MXNetError as error:
        raise Refused("MXNet cannot load the symbol: " + first_line(error), kind="unsupported") from error


def load_params(source: Path, entry: str, symbol: Any) -> Dict[str, Any]:
    """Variable -> array."""
    path = naming.find_params(source, entry)
    if path is None:
        return {}
    try:
        stored = mx.nd.load(str(path))
    except mx.base.MXNetError as error:
        raise Refused("MXNet cannot load the parameters: " + first_line(error)) from error
    if not isinstance(stored, dict):
        raise Refused(path.name + " holds a list of arrays, no named parameters")
    matched = naming.match(symbol.list_inputs(), list(stored))
    return {variable: stored[name] for variable, name in matched.items()}


def first_line(error: Exception) -> str:
    """MXNet puts a trace before what it has to say."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "Error" in line or "Check failed" in line]
    return (told or lines or ["no reason given"])[-1][:300]


def _open(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> MxnetModel:
    return MxnetModel(request, contract, threads)


executing.serve(__name__, _open)


@operation
def import_(request: Request) -> Dict[str, Any]:
    """source -> model.onnx, contract.json by MXNet's own exporter. params: entry, inputs, outputs, dims."""
    from .exporting import export

    made: Dict[str, Any] = export(request)
    return made

"""Originals executed by Theano itself. Runs in the theano toolchain."""

import os
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from dlpipe_worker import Refused, Request, operation

from ..kit import executing
from . import arrays, description, unpickling


@operation
def reference(request: Request) -> Dict[str, Any]:
    """source, imported, samples -> outputs.npz. params: entry, unsafe_load."""
    return executing.reference(request, open_model, "original" if _is_graph(_path(request)) else "independent")


@operation
def layers(request: Request) -> Dict[str, Any]:
    """source, imported, samples -> layers.npz. params: entry, unsafe_load."""
    return executing.layers(request, open_model)


@operation
def time(request: Request) -> Dict[str, Any]:
    """source, imported, samples -> seconds per run. params: entry, unsafe_load, handle, warmup, runs, threads."""
    return executing.time(request, open_model)


def open_model(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> executing.Model:
    path = _path(request)
    if not _is_graph(path):
        return _Network(path, contract, threads is not None)
    if not request.params.get("unsafe_load"):
        raise Refused(
            "{} is a pickled graph: for Theano to run it, it must be unpickled, which executes code of the file's "
            "choice".format(path.name),
            kind="unsupported",
            hint="if you trust the file, say --unsafe-load; or give the answers it should have: --reference io.npz",
        )
    return _Pickled(path, contract, threads is not None)


def _path(request: Request) -> Path:
    return Path(request.inputs["source"], request.params["entry"])


def _is_graph(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            return False
    return _holds_records(unpickling.read(path))


def _holds_records(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_records(each) for each in value)
    return isinstance(value, unpickling.Record)


class _Compiled(executing.Model):
    """`named`: name of an output or layer -> symbolic value."""

    def prepare(
        self, contract: Mapping[str, Any], inputs: Dict[str, Any], named: Dict[str, Any], compiled: bool
    ) -> None:
        import theano

        self.tool = "theano {}".format(theano.__version__)
        self._ports = [each["name"] for each in contract["inputs"]]
        self._inputs = [inputs[each["source"]] for each in contract["inputs"]]
        self._outputs = {each["name"]: named[each["source"]] for each in contract["outputs"]}
        self._named = named
        fast = compiled and theano.config.cxx
        self._mode = theano.compile.mode.Mode(*(("cvm", "fast_run") if fast else ("py", None)))
        self._run = self._compile(list(self._outputs.values()))
        self._all = None  # type: Any

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        return dict(zip(self._outputs, self._run(*[feeds[name] for name in self._ports])))

    def layers(self, feeds: executing.Arrays) -> executing.Arrays:
        if self._all is None:
            self._all = self._compile(list(self._named.values()))
        return dict(zip(self._named, self._all(*[feeds[name] for name in self._ports])))

    def _compile(self, outputs: List[Any]) -> Any:
        import theano

        return theano.function(self._inputs, outputs, mode=self._mode, on_unused_input="ignore")


class _Network(_Compiled):
    """A described network of Lasagne's, built anew."""

    def __init__(self, path: Path, contract: Mapping[str, Any], compiled: bool) -> None:
        _configure()
        from .lasagne_theano import Builder

        builder = Builder(description.read(path), arrays.read(path))
        builder.build()
        named = {name: value for name, value in builder.values.items() if name != description.INPUT}
        self.prepare(contract, {description.INPUT: builder.input}, named, compiled)


class _Pickled(_Compiled):
    """A graph as Theano unpickles it. Of a compiled function, its graph as it was before it was optimised."""

    def __init__(self, path: Path, contract: Mapping[str, Any], compiled: bool) -> None:
        _configure()
        import theano
        from theano.compile import function_module

        # A compiled function is compiled anew when it is unpickled, for a minute or more; its maker has the graph.
        function_module._constructor_Function = lambda maker, *_: maker  # noqa: SLF001 - what its pickles name
        with path.open("rb") as file:
            value = pickle.load(file, encoding="latin1")  # noqa: S301 - on the user's word only
        if isinstance(value, function_module.FunctionMaker):
            inputs = [each.variable for each in value.inputs if not each.shared]
            outputs = value.outputs
            outputs = [each.variable for each in (outputs if isinstance(outputs, list) else [outputs])]
        elif isinstance(value, (list, tuple)) and len(value) == 2:
            inputs, outputs = [list(each) if isinstance(each, (list, tuple)) else [each] for each in value]
        else:
            outputs = list(value) if isinstance(value, (list, tuple)) else [value]
            roots = theano.gof.graph.inputs(outputs)
            inputs = [each for each in roots if not hasattr(each, "data") and not hasattr(each, "container")]
        named = {each.name or "output_{}".format(number): each for number, each in enumerate(outputs)}
        fed = {each.name or "input_{}".format(number): each for number, each in enumerate(inputs)}
        self._nodes = theano.gof.graph.io_toposort(inputs, outputs)
        self.prepare(contract, fed, named, compiled)

    def layers(self, feeds: executing.Arrays) -> executing.Arrays:
        """Every node's first output, by the variable's name or the operator's."""
        named = {}  # type: Dict[str, Any]
        for number, node in enumerate(self._nodes):
            if hasattr(node.outputs[0].type, "broadcastable"):
                named[node.outputs[0].name or "{}_{}".format(type(node.op).__name__, number)] = node.outputs[0]
        run = self._compile(list(named.values()))
        return dict(zip(named, run(*[feeds[name] for name in self._ports])))


def _configure() -> None:
    """Operators in Python unless asked for otherwise. Theano reads this when it is imported."""
    if "THEANO_FLAGS" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="theano-")
    flags = ["device=cpu", "floatX=float32", "linker=py", "optimizer=None"]
    flags += ["base_compiledir=" + folder, "cxx=" + (shutil.which("g++") or "")]
    os.environ["THEANO_FLAGS"] = ",".join(flags)
    os.environ["KERAS_BACKEND"] = "theano"  # the process is shared with Keras on Theano
    os.environ["HOME"] = os.environ["KERAS_HOME"] = folder

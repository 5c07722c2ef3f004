"""Runs CNTK models in CNTK itself. Python 3.6."""

import warnings
from pathlib import Path
from typing import Any, List, Mapping, Optional

from dlpipe_worker import Refused, Request

from ..kit import executing
from . import mpi

_LOADED = []  # type: List[bool]  # whether CNTK is imported: once in a process


def import_cntk() -> Any:
    """CNTK, with what stands in for its MPI library; without its warnings of missing GPUs."""
    if not _LOADED:
        mpi.load()
        _LOADED.append(True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import cntk
    return cntk


def _open(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> executing.Model:
    return _Function(str(Path(request.inputs["source"], request.params["entry"])), contract, threads)


executing.serve(__name__, _open)


class _Function(executing.Model):
    def __init__(self, path: str, contract: Mapping[str, Any], threads: Optional[int]) -> None:
        self._cntk = import_cntk()
        self._cntk.device.try_set_default_device(self._cntk.device.cpu())
        if threads:
            self._cntk.cntk_py.set_max_num_cputhreads(threads)
        self.tool = "cntk " + self._cntk.__version__
        self._ports = {each["name"]: each["source"] for each in contract["inputs"]}
        model = self._cntk.load_model(path)
        if any(each.op_name == "OptimizedRNNStack" for each in _functions(model)):
            self._open_stacks(model, contract)
            return
        by_uid = {output.uid: output for function in _functions(model) for output in function.outputs}
        for each in contract["outputs"]:
            if each["source"] not in by_uid:
                raise Refused(
                    "CNTK cannot give out {!r}, because it stands inside a block".format(each["name"]), "unsupported"
                )
        self._outputs = {each["name"]: by_uid[each["source"]] for each in contract["outputs"]}
        self._every = by_uid
        self._model = self._cntk.combine(list(self._outputs.values()))

    def _open_stacks(self, model: Any, contract: Mapping[str, Any]) -> None:
        """cuDNN's layers run on GPUs only: CNTK's own tool makes ordinary ones of them, all under new names."""
        from cntk.misc.optimized_rnnstack_converter import convert_optimized_rnnstack

        self._model = convert_optimized_rnnstack(model)
        self.tool += " (convert_optimized_rnnstack)"
        if len(self._model.outputs) != len(contract["outputs"]):
            raise Refused("CNTK can only run all outputs of a model with layers of cuDNN", "unsupported")
        self._outputs = {each["name"]: made for each, made in zip(contract["outputs"], self._model.outputs)}
        self._every = {each.uid: each for each in self._model.outputs}
        for each in contract["inputs"]:
            same = [found for found in self._model.arguments if each["name"] in (found.name, found.uid)]
            self._ports[each["name"]] = (same or self._model.arguments)[0].uid

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        found = self._evaluate(self._model, feeds)
        return {name: found[output.uid] for name, output in self._outputs.items()}

    def layers(self, feeds: executing.Arrays) -> executing.Arrays:
        names = [uid for uid, output in self._every.items() if _is_plain(output)]
        found = self._evaluate(self._cntk.combine([self._every[uid] for uid in names]), feeds)
        called = {output.uid: name for name, output in self._outputs.items()}
        return {called.get(uid, uid): found[uid] for uid in names}

    def _evaluate(self, model: Any, feeds: executing.Arrays) -> executing.Arrays:
        arguments = {argument.uid: argument for argument in model.arguments}
        given = {}
        for name, array in feeds.items():
            argument = arguments.get(self._ports[name])
            if argument is not None:
                given[argument] = list(array) if len(argument.dynamic_axes) else [array]
        found = model.eval(given)
        if not isinstance(found, dict):
            found = {model.outputs[0]: found}
        return {output.uid: _stacked(value) for output, value in found.items()}


def _stacked(value: Any) -> Any:
    """An array, also of sequences, which CNTK gives as a list."""
    import numpy as np

    return np.stack(value) if isinstance(value, list) else np.asarray(value)


def _is_plain(output: Any) -> bool:
    return not output.is_sparse and len(output.dynamic_axes) > 0


def _functions(model: Any) -> List[Any]:
    """Every function of the model in the order of computation, blocks as one."""
    found = []  # type: List[Any]
    seen = set()
    work = [(model.root_function, False)]
    while work:
        function, done = work.pop()
        if done:
            found.append(function)
            continue
        if function.uid in seen:
            continue
        seen.add(function.uid)
        work.append((function, True))
        for each in function.inputs:
            if each.is_output:
                work.append((each.owner, False))
    return found

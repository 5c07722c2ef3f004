"""The original, run by Paddle: its interpreter for outputs and layers, its inference engine for timing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import paddle
from dlpipe_worker import Refused, Request
from paddle import inference

from ..kit import executing
from .loading import TOOL, Program, load, told

_NO_LAYER = ("pd_op.data", "pd_op.feed", "pd_op.fetch", "pd_op.full", "pd_op.full_int_array")


class Interpreted(executing.Model):
    """Operator by operator, nothing fused."""

    tool = TOOL

    def __init__(self, request: Request, contract: Mapping[str, Any]) -> None:
        self._request = request
        self._program = self._load()
        self._outputs = [each["name"] for each in contract["outputs"]]

    def _load(self) -> Program:
        given = self._request.params
        return load(self._request.inputs["source"], given["entry"], given["format"])

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        found = dict(
            zip(self._program.names(), self._execute(self._program, feeds, self._program.fetches), strict=True)
        )
        return {name: found[name] for name in self._outputs}

    def layers(self, feeds: executing.Arrays) -> executing.Arrays:
        """The first output of each operator, under the layer's name (new programs) or the variable's (old ones)."""
        program = self._load()  # its own, for it is changed
        names, values = _old_layers(program) if program.old else _new_layers(program)
        return dict(zip(names, self._execute(program, feeds, values), strict=True))

    def _execute(self, program: Program, feeds: executing.Arrays, values: list[Any]) -> list[Any]:
        try:
            with paddle.pir_utils.OldIrGuard() if program.old else paddle.pir_utils.IrGuard():
                found = program.executor.run(program.program, feed=dict(feeds), fetch_list=values)
        except Exception as error:  # Paddle raises nearly everything
            raise Refused(f"Paddle cannot run the model: {told(error)}", kind="unsupported") from error
        return [np.asarray(each) for each in found]


def _old_layers(program: Program) -> tuple[list[str], list[str]]:
    found: dict[str, None] = {}
    for op in program.program.global_block().ops:
        if op.type not in ("feed", "fetch") and op.output_arg_names:
            name = op.output_arg_names[0]
            for slot in ("Out", "Output", "Y"):  # not the statistics that some give as well
                if slot in op.output_names and op.output(slot):
                    name = op.output(slot)[0]
            found[name] = None
    return list(found), list(found)


def _new_layers(program: Program) -> tuple[list[str], list[Any]]:
    block = program.program.global_block()
    for op in list(block.ops):
        if op.name() == "pd_op.fetch":  # another fetch than its own is not possible beside it
            block.remove_op(op)
    found: dict[str, Any] = {}
    for number, op in enumerate(block.ops):
        results = op.results()
        kind = op.name()
        if kind.startswith("builtin.") or kind in _NO_LAYER or not results or not results[0].is_dense_tensor_type():
            continue
        place = op.attrs().get("struct_name") or "/"
        found[f"{place}{kind.removeprefix('pd_op.')}.{number}"] = results[0]
    return list(found), list(found.values())


class Deployed(executing.Model):
    """As it would be used: Paddle's inference engine, with its own optimisations."""

    tool = TOOL

    def __init__(self, request: Request, contract: Mapping[str, Any], threads: int) -> None:
        given = request.params
        program = load(request.inputs["source"], given["entry"], given["format"])
        config = inference.Config(*program.files())
        config.disable_gpu()
        config.disable_glog_info()
        config.set_cpu_math_library_num_threads(threads)
        self._names = program.names()
        self._outputs = [each["name"] for each in contract["outputs"]]
        self._engine = inference.create_predictor(config)

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        for name in self._engine.get_input_names():
            self._engine.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(feeds[name]))
        self._engine.run()
        handles = [self._engine.get_output_handle(name) for name in self._engine.get_output_names()]
        found = dict(zip(self._names, (handle.copy_to_cpu() for handle in handles), strict=True))
        return {name: found[name] for name in self._outputs}


def interpreted(request: Request, contract: Mapping[str, Any], threads: int | None) -> Interpreted:
    del threads
    return Interpreted(request, contract)


def deployed(request: Request, contract: Mapping[str, Any], threads: int | None) -> Deployed:
    return Deployed(request, contract, threads or 1)

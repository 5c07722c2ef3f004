"""The runtimes that every candidate runs on, alike: one thread, no spinning, float32 where the model says float32."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino

_MOST_RUNS = 25  # of one turn
Model = Callable[[Mapping[str, Any]], list[Any]]


def load(backend: str, folder: Path, samples: Mapping[str, Any]) -> Model:
    """backend: onnxruntime or openvino. A function from one sample to the outputs in the model's order."""
    return _onnxruntime(folder) if backend == "onnxruntime" else _openvino(folder, samples)


def versions() -> dict[str, str]:
    return {"onnxruntime": onnxruntime.__version__, "openvino": openvino.__version__.partition("-")[0]}


def _onnxruntime(folder: Path) -> Model:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    return lambda feed: session.run(None, feed)


def _openvino(folder: Path, samples: Mapping[str, Any]) -> Model:
    core = openvino.Core()
    own = folder / "model.xml"  # what a tool made for OpenVINO alone
    model = core.read_model(str(own if own.exists() else folder / "model.onnx"))
    if model.is_dynamic():
        model.reshape({name: list(array.shape[1:]) for name, array in samples.items()})
    compiled = core.compile_model(
        model,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "f32",  # its default here is bf16, which would be no fair baseline
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
        },
    )
    request = compiled.create_infer_request()
    ports = list(compiled.outputs)

    def run(feed: Mapping[str, Any]) -> list[Any]:
        result = request.infer(dict(feed), share_inputs=True)
        return [np.array(result[port]) for port in ports]

    return run


def interleave(
    models: Mapping[Any, Model], feed: Mapping[str, Any], rounds: int, seconds: float, say: Callable[[float], None]
) -> dict[Any, dict[str, list[list[float]]]]:
    """Each model in every round, in an order that rotates; runs per round so that they take about `seconds`.

    By two clocks: "wall", and "cpu", the processor time of all threads, which others on the machine disturb far less.
    """
    names = list(models)
    counts = {}
    for name in names:
        for _ in range(3):
            models[name](feed)
        counts[name] = max(3, min(_MOST_RUNS, int(seconds / max(_timed(models[name], feed)[0], 1e-7))))
    taken: dict[Any, dict[str, list[list[float]]]] = {name: {"wall": [], "cpu": []} for name in names}
    for number in range(rounds):
        start = number % len(names)
        order = [*names[start:], *names[:start]]
        for name in order[::-1] if (number // len(names)) % 2 else order:
            models[name](feed)
            runs = [_timed(models[name], feed) for _ in range(counts[name])]
            for clock, values in zip(taken[name], zip(*runs, strict=True), strict=True):
                taken[name][clock].append(list(values))
        say((number + 1) / rounds)
    return taken


def _timed(model: Model, feed: Mapping[str, Any]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    model(feed)
    return time.perf_counter() - wall, time.process_time() - cpu

"""RKNN-Toolkit2, as a program: builds the model in its working folder and, where samples are given, simulates it.

In a process of its own, whose memory is always the same (see the worker). And the simulator takes only a model that the
same process has built, so that whoever executes an artefact builds it again, and compares.

Reads model.onnx and request.json: platform, inputs [{name, shape}], samples (an .npz, or null). Writes model.rknn, and
of a simulation 0.npy, 1.npy ...: the outputs in their order, [N, ...].
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from rknn.api import RKNN


def main(asked: dict[str, Any]) -> None:
    toolkit = RKNN(verbose=False)
    _check("config", toolkit.config(target_platform=asked["platform"]))
    inputs = asked["inputs"]
    names, shapes = [port["name"] for port in inputs], [port["shape"] for port in inputs]
    _check("load_onnx", toolkit.load_onnx(model="model.onnx", inputs=names, input_size_list=shapes))
    _check("build", toolkit.build(do_quantization=False))  # what is quantised, is by the model's own scales
    _check("export_rknn", toolkit.export_rknn("model.rknn"))
    if asked["samples"]:
        _check("init_runtime", toolkit.init_runtime())  # no target: the simulator
        _simulate(toolkit, asked)


def _simulate(toolkit: Any, asked: dict[str, Any]) -> None:
    with np.load(asked["samples"], allow_pickle=False) as archive:
        feeds = [archive[port["name"]] for port in asked["inputs"]]
    layouts = ["nchw"] * len(feeds)  # as the model has it
    found: list[list[Any]] = []
    for index in range(min(map(len, feeds))):
        answer = toolkit.inference(inputs=[array[index] for array in feeds], data_format=layouts)
        if answer is None:
            raise SystemExit("rknn: the simulator gave no answer")
        found.append(answer)
    for number, arrays in enumerate(zip(*found, strict=True)):
        np.save(f"{number}.npy", np.stack(arrays))


def _check(step: str, status: int) -> None:
    if status != 0:
        raise SystemExit(f"rknn: {step} failed (status {status})")


if __name__ == "__main__":
    main(json.loads(Path("request.json").read_text(encoding="utf-8")))

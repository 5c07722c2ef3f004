"""NNCF's post-training quantisation, on the ONNX model or on OpenVINO's own form of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import onnx
import onnxruntime
import openvino
from dlpipe_worker import Refused, Request, operation

_MOST_LOST = 0.003  # with accuracy control: what docs/passes.md asks of everybody


@operation
def quantise(request: Request) -> object:
    """ir, samples -> `model.onnx` or `model.xml`.

    params: form (onnx, openvino), preset, transformer; accuracy: layers go back to float until the samples' labels
    say that enough is kept (ONNX only); overflow_fix: for which weights half the range is used, where it is not NNCF's
    own choice.
    """
    params = request.params
    source, out = Path(request.inputs["ir"], "model.onnx"), Path(request.out)
    folder = Path(request.inputs["samples"])
    with np.load(folder / "samples.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    count = len(next(iter(arrays.values())))
    samples = [{name: array[index] for name, array in arrays.items()} for index in range(count)]
    settings = {
        "preset": nncf.QuantizationPreset(params["preset"]),
        "subset_size": count,
        "model_type": nncf.ModelType.TRANSFORMER if params["transformer"] else None,
    }
    if "overflow_fix" in params:
        fix = nncf.OverflowFix(params["overflow_fix"])
        settings["advanced_parameters"] = nncf.AdvancedQuantizationParameters(overflow_fix=fix)
    if params.get("accuracy"):
        labelled = nncf.Dataset(list(zip(samples, _labels(folder), strict=True)), lambda item: item[0])
        quantised = nncf.quantize_with_accuracy_control(
            onnx.load(source), nncf.Dataset(samples), labelled, _accuracy, max_drop=_MOST_LOST, **settings
        )
    else:
        quantised = nncf.quantize(_model(source, params["form"], arrays), nncf.Dataset(samples), **settings)
    if params["form"] == "onnx":
        onnx.save(quantised, out / "model.onnx")
    else:
        openvino.save_model(quantised, out / "model.xml", compress_to_fp16=False)
    return {}


def _model(source: Path, form: str, arrays: dict[str, Any]) -> Any:
    if form == "onnx":
        return onnx.load(source)
    model = openvino.Core().read_model(source)
    if model.is_dynamic():
        model.reshape({name: list(array.shape[1:]) for name, array in arrays.items()})
    return model


def _labels(folder: Path) -> list[int]:
    labels: list[int] = json.loads((folder / "labels.json").read_text(encoding="utf-8"))["labels"]
    if None in labels:
        raise Refused("NNCF's accuracy control needs labels, and there are none", kind="unsupported")
    return labels


def _accuracy(model: Any, data: Iterable[Any]) -> tuple[float, list[float]]:
    """The share of right answers, and for each sample whether it is one."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    right = [float(session.run(None, feed)[0].argmax() == label) for feed, label in data]
    return float(np.mean(right)), right

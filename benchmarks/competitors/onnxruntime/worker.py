"""ONNX Runtime's own quantiser, set up as its documentation recommends for x86."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Request, operation
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process


class _Reader(CalibrationDataReader):
    def __init__(self, file: Path) -> None:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        count = len(next(iter(arrays.values())))
        self._samples: Iterator[dict[str, Any]] = iter(
            [{name: array[index] for name, array in arrays.items()} for index in range(count)]
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._samples, None)


@operation
def quantise(request: Request) -> object:
    """ir, samples -> `model.onnx`. params: mode (static, dynamic), method (of calibration), reduce_range (weights
    within 7 bits)."""
    source, out = Path(request.inputs["ir"], "model.onnx"), Path(request.out)
    ready, result = out / "ready.onnx", out / "model.onnx"
    quant_pre_process(str(source), str(ready))
    narrow = bool(request.params.get("reduce_range"))
    if request.params["mode"] == "dynamic":
        quantize_dynamic(str(ready), str(result), weight_type=QuantType.QInt8, per_channel=True, reduce_range=narrow)
    else:
        quantize_static(
            str(ready),
            str(result),
            _Reader(Path(request.inputs["samples"], "samples.npz")),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=narrow,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod[request.params["method"]],
        )
    ready.unlink()
    return {}

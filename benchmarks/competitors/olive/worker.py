"""Olive's quantisation pass, with the settings that suit x86."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

os.environ["OLIVE_DISABLE_TELEMETRY"] = "1"

from dlpipe_worker import Request, operation
from olive.data.config import DataComponentConfig, DataConfig
from olive.data.registry import Registry
from olive.model import ONNXModelHandler
from olive.passes.olive_pass import create_pass_from_dict
from olive.passes.onnx.quantization import OnnxDynamicQuantization, OnnxStaticQuantization


class _Samples:
    """What Olive calls a dataset: (inputs, label) by index."""

    def __init__(self, file: str) -> None:
        with np.load(file, allow_pickle=False) as archive:
            self._arrays = {name: archive[name] for name in archive.files}

    def __len__(self) -> int:
        return len(next(iter(self._arrays.values())))

    def __getitem__(self, index: int) -> Any:
        if index >= len(self):
            raise IndexError(index)
        return {name: array[index] for name, array in self._arrays.items()}, 0


@Registry.register_dataset("calibration_samples")
def _dataset(file: str, **_: Any) -> _Samples:
    return _Samples(file)


@operation
def quantise(request: Request) -> object:
    """ir, samples -> `model.onnx`. params: mode (static, dynamic), reduce_range (weights within 7 bits)."""
    source, out = Path(request.inputs["ir"], "model.onnx"), Path(request.out)
    narrow = bool(request.params.get("reduce_range"))
    chosen: dict[str, Any] = {"precision": "int8", "per_channel": True, "reduce_range": narrow}
    kind = OnnxDynamicQuantization
    if request.params["mode"] == "static":
        kind = OnnxStaticQuantization
        data = DataConfig(
            name="calibration",
            load_dataset_config=DataComponentConfig(
                type="calibration_samples", params={"file": str(Path(request.inputs["samples"], "samples.npz"))}
            ),
            pre_process_data_config=DataComponentConfig(type="skip_pre_process"),
            post_process_data_config=DataComponentConfig(type="skip_post_process"),
            dataloader_config=DataComponentConfig(type="no_auto_batch_dataloader"),
        )
        chosen |= {"activation_type": "uint8", "quant_format": "QDQ", "data_config": data}
        if narrow:  # Olive 0.13.0 loses reduce_range on the way where it prepares a configuration of its own
            chosen["prepare_qdq_config"] = False
    made = create_pass_from_dict(kind, chosen, disable_search=True).run(
        ONNXModelHandler(model_path=str(source)), str(out / "made.onnx")
    )
    path = Path(made.model_path)
    if path.is_dir():
        path = next(path.glob("*.onnx"))
    shutil.move(path, out / "model.onnx")
    for rest in out.iterdir():
        if rest.name != "model.onnx" and rest.is_dir():
            shutil.rmtree(rest)
    return {}

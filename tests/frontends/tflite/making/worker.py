"""One small TFLite model per operator, made by TensorFlow's own converter. Runs in the tensorflow toolchain."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Request, operation

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@operation
def make(request: Request) -> dict[str, str]:
    """-> NAME.KIND.tflite for every case; value: what could not be made, and why. params: kinds."""
    from .cases import CASES
    from .crafted import crafted

    failed = {}
    for name, content in crafted().items():
        Path(request.out, f"{name}.crafted.tflite").write_bytes(content)
    for kind in request.params["kinds"]:
        for name, case in CASES[kind].items():
            try:
                Path(request.out, f"{name}.{kind}.tflite").write_bytes(convert(case, kind))
            except Exception as error:  # noqa: BLE001  the test says which
                failed[f"{name}.{kind}"] = str(error).strip().splitlines()[0][:300]
    return failed


def convert(case: Any, kind: str) -> bytes:
    """kind: float, float16, dynamic, int8, int16."""
    import tensorflow as tf

    function, *specs = case
    signature = [tf.TensorSpec(*(spec if spec and isinstance(spec[-1], tf.DType) else (spec,))) for spec in specs]
    concrete = tf.function(function, input_signature=signature).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], function)
    converter.allow_custom_ops = True
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in ("int8", "int16"):
        converter.representative_dataset = lambda: _examples(signature)
    if kind == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    if kind == "int16":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
        converter.inference_input_type = converter.inference_output_type = tf.int16
    made: bytes = converter.convert()
    return made


def _examples(signature: Any) -> Any:
    random = np.random.default_rng(0)
    for _ in range(20):
        yield [random.standard_normal([each or 1 for each in spec.shape]).astype(np.float32) for spec in signature]

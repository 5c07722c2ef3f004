"""The command lines of Huawei's two compilers, as their manuals have them: CANN's `atc`, and HiAI's `omg`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ONNX = "5"  # of --framework
# atc: an fp32 model is computed in fp16, which is what its matrix unit does; int8 levels are in the model.
_PRECISION = "--precision_mode=allow_fp32_to_fp16"


def command(tool: str, model: str, output: str, inputs: Sequence[dict[str, Any]], soc_version: str) -> list[str]:
    """tool: atc or omg. output: without its suffix, .om. inputs: ports of fixed shapes. soc_version: atc's only."""
    shapes = ";".join(f"{port['name']}:{','.join(map(str, port['shape']))}" for port in inputs)
    said = [tool, f"--model={model}", f"--framework={ONNX}", f"--output={output}", f"--input_shape={shapes}"]
    return [*said, f"--soc_version={soc_version}", _PRECISION] if tool == "atc" else said

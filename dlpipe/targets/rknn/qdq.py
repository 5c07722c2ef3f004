"""The IR as RKNN-Toolkit2 reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


def rewrite(source: Path, target: Path) -> None:
    """A copy in which every DequantizeLinear has a zero point (ONNX leaves one that is zero out), and no node has
    outputs without a name at its end: RKNN's reader fails on either."""
    model = onnx.load(str(source))
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        while node.output and not node.output[-1]:
            node.output.pop()
        if node.op_type == "DequantizeLinear" and len(node.input) == 2:
            levels, scale = (numpy_helper.to_array(stored[name]) for name in node.input)
            zero = numpy_helper.from_array(np.zeros(scale.shape, levels.dtype), f"{node.output[0]}/zero")
            model.graph.initializer.append(zero)
            node.input.append(zero.name)
    onnx.save(model, str(target))

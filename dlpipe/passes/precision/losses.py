"""What rounding costs a value, by itself: how much noise it brings, and whether it overflows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx_ir as ir

from ..quantisation.static.observing import observe
from .casts import FLOAT


@dataclass(slots=True)
class Loss:
    """Of one value over all samples. `noise` counts what rounding adds, numbers that become zero or lose bits because
    they are small included; what the short float cannot hold is told by `overflows`."""

    kind: Any
    signal: float = 0.0
    noise: float = 0.0
    overflows: bool = False

    def add(self, array: Any) -> None:
        exact = np.asarray(array, np.float64)
        exact = exact[np.isfinite(exact)]
        largest = float(ml_dtypes.finfo(self.kind).max)
        held = np.clip(exact, -largest, largest)
        self.overflows = self.overflows or bool((held != exact).any())
        rounded = held.astype(np.float32).astype(self.kind).astype(np.float64)
        self.signal += float((exact * exact).sum())
        self.noise += float(((exact - rounded) ** 2).sum())

    @property
    def share(self) -> float:
        """Noise by signal."""
        return self.noise / self.signal if self.signal else 0.0


def losses(
    model: ir.Model, short: ir.DataType, samples: Path, progress: Callable[[str, float | None], object]
) -> dict[ir.Value, Loss]:
    """Of every float value that a node of the main graph makes, and every float input. One run of the float model."""
    made = [value for node in model.graph for value in node.outputs if node.op_type != "Constant"]
    watched = [value for value in (*model.graph.inputs, *made) if value.dtype == FLOAT and value.name]
    found = {value: Loss(short.numpy()) for value in watched if not value.is_initializer()}
    observe(model, {value: loss.add for value, loss in found.items()}, samples, progress)
    return found

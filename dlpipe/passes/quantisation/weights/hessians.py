"""Sums of x^T x over samples, for the inputs of layers: what GPTQ needs to know of the data."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from ....ir.graph import executing, feeding, portions

_BUDGET = 256 << 20  # bytes of Hessians that are held at once
_ROWS = 8 << 20  # bytes of rows that are gathered before they are multiplied: many small products take longer


class _Sum:
    """Of x^T x, over rows x [width]."""

    def __init__(self, width: int) -> None:
        self.total = np.zeros((width, width), np.float32)
        self._rows: list[Any] = []
        self._held = 0

    def add(self, array: Any) -> None:
        rows = np.array(array, np.float32).reshape(-1, len(self.total))
        self._rows.append(rows)
        self._held += rows.nbytes
        if self._held > _ROWS:
            self.finish()

    def finish(self) -> Any:
        if self._rows:
            rows = np.concatenate(self._rows)
            self.total += rows.T @ rows
            self._rows, self._held = [], 0
        return self.total


def hessians(
    model: ir.Model, widths: Mapping[str, int], samples: Path, progress: Callable[[float], None]
) -> Iterator[dict[str, Any]]:
    """Yields {name of a value: float32 [width, width]} for all values in `widths` (name -> size of the last axis),
    some at a time, in order.

    The float model runs on the samples once for each group of at most 256 MB of Hessians (or a single larger one), cut
    off behind the group; of its inputs 8 MB each are held. `model` is left as it is.
    """
    groups = list(portions.within(_BUDGET, widths, lambda name: 4 * widths[name] ** 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        ir.save(model, str(path), external_data="model.onnx.data")
        for number, group in enumerate(groups):
            yield _sums(path, group, widths, samples)
            progress((number + 1) / len(groups))


def _sums(path: Path, names: list[str], widths: Mapping[str, int], samples: Path) -> dict[str, Any]:
    session, fed, made = _cut_off(path, names)
    sums = {name: _Sum(widths[name]) for name in names}
    inputs = [port.name for port in session.get_inputs()]
    given = feeding.Samples(samples, [*inputs, *(name for name in fed if name not in inputs)])
    for index, sample in enumerate(given):
        with executing.refusing("failed to run the model"):
            outputs = session.run(made, {name: sample[name] for name in inputs}) if made else []
        for name, array in (*zip(made, outputs, strict=True), *((name, sample[name]) for name in fed)):
            if not np.isfinite(array).all():
                raise Refused(f"{name!r} is not finite on sample {index}: nothing can be learnt from it")
            sums[name].add(array)
    return {name: each.finish() for name, each in sums.items()}


def _cut_off(path: Path, names: list[str]) -> tuple[Any, list[str], list[str]]:
    """(a session that computes just those values, which of them are fed, which are computed)."""
    model = ir.load(str(path))
    fed = [str(value.name) for value in model.graph.inputs if value.name in names]
    made = [name for name in names if name not in fed]
    values = {value.name: value for node in model.graph for value in node.outputs}
    del model.graph.outputs[:]
    model.graph.outputs.extend(values[name] for name in made or [next(iter(values))])
    common.RemoveUnusedNodesPass()(model)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.onnx"
        ir.save(model, str(target), external_data="model.onnx.data")
        return executing.open_session(target), fed, made

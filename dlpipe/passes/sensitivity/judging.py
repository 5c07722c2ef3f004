"""Run a model on samples and hold its outputs against the float model's."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from dlpipe_worker import Refused

from ...ir.graph import emulating, executing, feeding
from .figures import Figures, Tally, worst

_BUDGET = 256 << 20  # bytes of the float model's outputs that are held


class Judge:
    """`measure` says how near a model is to the one in `folder` on at most `most` samples, spread over the file.

    The float model runs once, when the judge is made; its outputs are held, so that of a model with large outputs
    fewer samples are judged (`count` says how many). Memory is bounded by 256 MB and the two models.
    """

    def __init__(self, folder: Path, samples: Path, most: int = 64) -> None:
        session = executing.open_session(folder / "model.onnx")
        self._inputs = [port.name for port in session.get_inputs()]
        self._outputs = [port.name for port in session.get_outputs()]
        (first,) = _answers(session, self._outputs, feeding.Samples(samples, self._inputs, 1))
        fitting = _BUDGET // max(sum(np.asarray(each).nbytes for each in first), 1)
        self._samples = feeding.Samples(samples, self._inputs, max(1, min(most, fitting)))
        self._reference = list(_answers(session, self._outputs, self._samples))
        self.count = len(self._reference)

    def measure(self, model: ir.Model) -> Figures:
        """`model` has the float model's inputs and outputs, and is used up. 16-bit floats are emulated: see
        ir/graph/emulating.py."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            if any(emulating.uses(model, dtype) for dtype in emulating.SHORT):
                model = emulating.emulate(model)
            ir.save(model, str(path), external_data="model.onnx.data")
            session = executing.open_session(path)
        tallies = [Tally() for _ in self._outputs]
        for wanted, given in zip(self._reference, _answers(session, self._outputs, self._samples), strict=True):
            for tally, name, a, b in zip(tallies, self._outputs, wanted, given, strict=True):
                if np.shape(a) != np.shape(b):
                    raise Refused(f"output {name!r} has the shape {np.shape(b)}, and {np.shape(a)} in the float model")
                tally.add(a, b)
        return worst(tallies)


def _answers(session: Any, names: list[str], samples: feeding.Samples) -> Iterator[list[Any]]:
    for sample in samples:
        with executing.refusing("failed to run the model"):
            yield session.run(names, sample)

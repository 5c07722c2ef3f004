"""Which operators a tool computes as ONNX says: by the test cases of single operators that `onnx` brings."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

from .apart import apart
from .executing import Arrays

Run = Callable[[Path, Arrays, list[str]], Arrays]
_TOLERANCE = 1e-3  # relative and absolute: a wrong operator, not a rounding


def covered(run: Run, only: Collection[str] = ()) -> dict[str, list[int]]:
    """Operator -> [cases that passed, cases]. `run`: model file, its inputs, names of its outputs -> outputs; whatever
    it raises, and every crash, is a case that did not pass. `only`: these operators. Each case runs in a fork."""
    found: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as scratch, np.errstate(all="ignore"):
        for case in collect_testcases(None):
            nodes = case.model.graph.node
            op = nodes[0].op_type
            if len(nodes) != 1 or nodes[0].domain or (only and op not in only):
                continue
            path = Path(scratch, "model.onnx")
            passed = any(apart(partial(_check, run, case, path, stored))[0] == 0 for stored in (False, True))
            counts = found.setdefault(op, [0, 0])
            counts[0] += int(passed)
            counts[1] += 1
    return dict(sorted(found.items()))


def _check(run: Run, case: Any, path: Path, stored: bool) -> None:
    """`stored`: all inputs but the first are constants of the model, as weights and axes mostly are."""
    for inputs, wanted in case.data_sets:
        model = onnx.ModelProto.FromString(case.model.SerializeToString())
        feeds = {value.name: _array(each) for value, each in zip(model.graph.input, inputs, strict=True)}
        if stored:
            given = list(model.graph.input)
            model.graph.initializer.extend(
                numpy_helper.from_array(feeds[value.name], value.name) for value in given[1:]
            )
            feeds = {given[0].name: feeds[given[0].name]}
            del model.graph.input[1:]
        onnx.save_model(model, str(path))
        names = [value.name for value in model.graph.output]
        answers = run(path, feeds, names)
        for name, right in zip(names, wanted, strict=True):
            np.testing.assert_allclose(answers[name], _array(right), _TOLERANCE, _TOLERANCE)


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)

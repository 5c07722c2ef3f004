"""A metric of the user's own: `function(outputs, labels)`.

outputs: output -> array [samples, ...]; labels: what the data holds for the same samples: an array of class numbers or
of reals [samples], or arrays [samples, ...], or a list of texts, or of boxes [left, top, right, bottom, class, crowd].
It returns a number for each sample, of which the mean is the figure, or one number for all; then it is called again
for samples drawn with replacement, so that there is an interval. Worker side; the code runs in the jail.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from .scored import Floats, Scored, Weighed, mean_of
from .truth import Answers, Truth, output_names

_RESAMPLES = 200
_JACKKNIFE = 100


def own(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """settings: `function` (module:function) and `code`, the folder that it is in. Raises Refused for what the code
    raises, and for what is no figure."""
    name = settings["function"]
    function = _load(Path(settings["code"]), name)
    outputs = {each: answers.other(each).whole() for each in output_names(answers.file)}
    labels = _labels(truth)
    count = len(truth.rows)
    whole = _called(function, name, outputs, labels)
    if whole.shape == (count,) and count > 1:
        return mean_of(whole)
    if whole.size != 1:
        raise Refused(f"{name} gave {list(whole.shape)} numbers for {count} samples: one for each, or one for all")

    def of(weights: Floats) -> Floats:
        return np.array([_one(row) for row in weights])

    def _one(weights: Floats) -> float:
        rows = np.repeat(np.arange(count), weights.astype(np.int64))
        if len(rows) == count and (weights == 1).all():
            return float(whole.reshape(()))
        given = labels[rows] if isinstance(labels, np.ndarray) else [labels[row] for row in rows]
        chosen = {each: array[rows] for each, array in outputs.items()}
        found = _called(function, name, chosen, given)
        return float(found.reshape(-1)[0]) if found.size == 1 else float("nan")

    return Weighed(count, of, jackknife=_JACKKNIFE, resamples=_RESAMPLES)


def _labels(truth: Truth) -> Any:
    if truth.kind == "class":
        return truth.classes()
    if truth.kind == "value":
        return truth.numbers()
    return truth.array() if truth.kind == "array" else list(truth.labels)


def _load(folder: Path, name: str) -> Callable[..., Any]:
    """Anew: a process that serves many requests must not answer with the code of an earlier one."""
    module, _, function = name.rpartition(":")
    for each in folder.iterdir():
        top = each.stem
        for loaded in [key for key in sys.modules if key == top or key.startswith(f"{top}.")]:
            del sys.modules[loaded]
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    try:
        found: Callable[..., Any] | None = getattr(importlib.import_module(module), function, None)
    except ImportError as error:
        raise Refused(
            f"the metric {name} cannot be imported: {error}",
            hint="--requirements FILE names the packages that it needs",
        ) from error
    except Exception as error:
        raise Refused(f"the metric {name} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(folder))
    if not callable(found):
        raise Refused(f"{module} has no function {function}")
    return found


def _called(function: Callable[..., Any], name: str, outputs: Mapping[str, Any], labels: Any) -> Floats:
    try:
        return np.asarray(function(dict(outputs), labels), np.float64)
    except Exception as error:
        raise Refused(f"the metric {name} raised {type(error).__name__}: {error}") from error

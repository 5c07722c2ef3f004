"""From a file to the estimator or booster that it holds."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request

# Compiled parts of estimators that skops does not vouch for: they hold arrays, and run nothing when they are read.
_HARMLESS = re.compile(
    r"sklearn\.(tree\._tree\.Tree|metrics\._dist_metrics\.\w+|neighbors\._(kd_tree\.KDTree|ball_tree\.BallTree)\w*"
    r"|ensemble\._hist_gradient_boosting\.(predictor\.TreePredictor|binning\._BinMapper)|_loss\.\w+\.\w+)"
)


def load(request: Request) -> Any:
    """An estimator of scikit-learn's kind, or a Booster. Raises Refused for what is damaged or not trusted."""
    params = request.params
    path = Path(request.inputs["source"], params["entry"])
    form = params["format"]
    if form == "sklearn/skops":
        return _skops(path, trust=params["unsafe_load"])
    if form.startswith("xgboost/") and form != "xgboost/pickle":
        return _xgboost(path)
    if form == "lightgbm/text":
        return _lightgbm(path)
    return _pickle(path)


def _skops(path: Path, *, trust: bool) -> Any:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        found = skops.io.get_untrusted_types(file=path)
        foreign = [name for name in found if not _HARMLESS.fullmatch(name)]
        if foreign and not trust:
            raise Refused(
                f"{path.name} names types that are not known to be harmless: {', '.join(sorted(foreign)[:5])}",
                kind="unsupported",
                hint="if you trust where it comes from: --unsafe-load",
                op=min(foreign),
            )
        return skops.io.load(path, trusted=found)
    except UntrustedTypesFoundException as error:
        raise Refused(str(error), kind="unsupported", hint="--unsafe-load, if you trust where it comes from") from error
    except (ValueError, KeyError, TypeError, OSError, AttributeError, ImportError, EOFError) as error:
        raise Refused(f"{path.name} cannot be read as a skops file: {error}") from error


def _xgboost(path: Path) -> Any:
    import xgboost

    try:
        return xgboost.Booster(model_file=str(path))
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise Refused(f"XGBoost {xgboost.__version__} cannot read {path.name}: {_first(error)}") from error


def _lightgbm(path: Path) -> Any:
    import lightgbm

    text = path.read_bytes()
    count = re.search(rb"^tree_sizes=([\d ]*)$", text, re.MULTILINE)  # its own parser aborts the process instead
    if len(re.findall(rb"^Tree=\d+$", text, re.MULTILINE)) < len(count[1].split() if count else []) or (
        count and b"\nend of trees" not in text
    ):
        raise Refused(f"{path.name} is cut off: it has fewer trees than it lists", hint="is the copy complete?")
    try:
        return lightgbm.Booster(model_file=str(path))
    except (lightgbm.basic.LightGBMError, ValueError, IndexError) as error:
        raise Refused(f"LightGBM {lightgbm.__version__} cannot read {path.name}: {_first(error)}") from error


def _pickle(path: Path) -> Any:
    """The user said that this file may execute code."""
    import joblib

    try:
        return joblib.load(path)
    except (pickle.UnpicklingError, ValueError, EOFError, KeyError, IndexError, OSError) as error:
        raise Refused(f"{path.name} cannot be read as a pickle: {_first(error)}") from error
    except (ImportError, AttributeError) as error:  # of a class that is not here, or was elsewhere in another version
        raise Refused(
            f"{path.name} was written by other software: {_first(error)}",
            kind="unsupported",
            hint="`dlpipe frontend show sklearn` tells the versions that it is read with",
        ) from error


def _first(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[0][:300]

"""Which figure says how good a model is: the metrics by name, what labels each needs, and which way it counts.

    top-1, f1-macro ...            a name
    top-5, recall@10               a name with a number
    f1-binary,positive=2           with settings
    mine:score,better=lower        a function of the user's (module or FILE.py): see metrics/own.py

Host side. How they are computed is in `metrics/`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dlpipe.errors import UserError

Truth = Literal["class", "value", "array", "text", "boxes"]  # what a label is, see `data/readers/labels.py`
Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` is what the report calls it, `compute` the key of `metrics/catalogue.py`, `unit` as in `Accuracy`."""

    name: str
    compute: str
    unit: str | None = "fraction"
    better: Better = "higher"
    toolchain: str = "core"
    settings: Mapping[str, Any] = field(default_factory=dict)
    output: str | None = None  # which of the model's outputs; None: the only one, else the first by name
    requirements: Path | None = None  # packages of a metric of the user's own
    code: str | None = None  # where that lies in the store: an input of the stage

    def params(self) -> dict[str, Any]:
        """As the worker's operation takes it."""
        return {
            "metric": self.name,
            "compute": self.compute,
            "unit": self.unit,
            "better": self.better,
            "settings": dict(self.settings),
            "output": self.output,
        }


@dataclass(frozen=True, slots=True)
class _Known:
    says: str
    compute: str
    unit: str | None = "fraction"
    better: Better = "higher"
    toolchain: str = "core"
    fixed: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[str, type] = field(default_factory=dict)  # settings that the user may give


_F1 = {"threshold": float}
_PICTURE = {"range": float}
_TEXT = {"lower": int}
_BOXES = {"boxes": str, "unit": int, "nms": float, "score": float, "background": int}
_KNOWN: dict[str, _Known] = {
    "top-1": _Known("share of samples whose highest score is the right class (top-5 and so on, too)", "top-k"),
    "f1-macro": _Known("F1, the mean over classes", "f1", fixed={"average": "macro"}, numbers=_F1),
    "f1-micro": _Known("F1 of all decisions together", "f1", fixed={"average": "micro"}, numbers=_F1),
    "f1-weighted": _Known("F1, weighted by the classes' samples", "f1", fixed={"average": "weighted"}, numbers=_F1),
    "f1-binary": _Known(
        "F1 of one class (positive=1)", "f1", fixed={"average": "binary"}, numbers={**_F1, "positive": int}
    ),
    "auc": _Known("area under the ROC curve; of several classes the mean of one against the rest", "auc"),
    "miou": _Known("mean intersection over union of segmented classes", "iou", numbers={"ignore": int}),
    "iou": _Known(
        "intersection over union of one segmented class (positive=1)", "iou",
        fixed={"positive": 1}, numbers={"positive": int, "ignore": int, "threshold": float},
    ),
    "rmse": _Known("root of the mean squared error", "rmse", None, "lower"),
    "mae": _Known("mean absolute error", "mae", None, "lower"),
    "rul-score": _Known("asymmetric score of remaining useful life (PHM08, C-MAPSS)", "rul-score", None, "lower"),
    "perplexity": _Known("exp of the mean negative log-likelihood of a token", "perplexity", None, "lower"),
    "psnr": _Known("peak signal-to-noise ratio, the mean over pictures", "psnr", "dB", numbers=_PICTURE),
    "ssim": _Known("structural similarity, the mean over pictures", "ssim", numbers=_PICTURE),
    "wer": _Known("word error rate", "wer", better="lower", toolchain="metrics", numbers=_TEXT),
    "cer": _Known("character error rate", "cer", better="lower", toolchain="metrics", numbers=_TEXT),
    "bleu": _Known("BLEU, from 0 to 100", "bleu", "points", toolchain="metrics", numbers=_TEXT),
    "map": _Known("mean average precision of boxes, as of COCO", "map", toolchain="metrics", numbers=_BOXES),
    "map50": _Known("the same at an overlap of 0.5", "map", toolchain="metrics", fixed={"iou": 0.5}, numbers=_BOXES),
    "recall@1": _Known("share of samples with one of their class among the nearest 1 (10, ...) others", "recall-at"),
    "map@10": _Known("mean average precision among the nearest 10 (1, ...) others", "map-at"),
}  # fmt: skip
_ALIASES = {"f1": "f1-macro", "accuracy": "top-1"}
_NUMBERED = re.compile(r"(top-|recall@|map@)(\d+)")
_FUNCTION = re.compile(r".+:[^\W\d]\w*")
_DEFAULT: dict[Truth, str] = {"class": "top-1", "value": "rmse", "array": "rmse", "text": "wer", "boxes": "map"}

TOP1 = Metric("top-1", "top-k", settings={"k": 1})


def metrics() -> dict[str, str]:
    """Name -> what it says."""
    return {name: known.says for name, known in _KNOWN.items()}


def default_metric(truth: Truth) -> Metric:
    """For labels of that kind, where the user names none."""
    return parse_metric(_DEFAULT[truth])


def parse_metric(text: str) -> Metric:
    """Of `--metric`. Raises UserError with the nearest names."""
    name, *given = (part.strip() for part in text.split(","))
    settings = dict(_setting(text, each) for each in given)
    if _FUNCTION.fullmatch(name):
        return _own(name, text, settings)
    output = settings.pop("output", None)
    name = _ALIASES.get(name, name)
    numbered = _NUMBERED.fullmatch(name)
    key = {"top-": "top-1", "recall@": "recall@1", "map@": "map@10"}[numbered[1]] if numbered else name
    known = _KNOWN.get(key)
    if known is None:
        near = difflib.get_close_matches(name, _KNOWN, n=3, cutoff=0.5)
        raise UserError(
            f"--metric {text!r} is none",
            hint=f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(_KNOWN)}",
        )
    fixed = dict(known.fixed)
    if numbered:
        fixed["k"] = int(numbered[2])
        if fixed["k"] < 1:
            raise UserError(f"--metric {text!r}: it counts from 1")
    for setting, value in settings.items():
        if setting not in known.numbers:
            takes = ", ".join((*known.numbers, "output"))
            raise UserError(f"--metric {text!r}: {key} has no setting {setting!r}", hint=f"it takes {takes}")
        try:
            fixed[setting] = known.numbers[setting](value)
        except ValueError:
            raise UserError(f"--metric {text!r}: {setting} is a number") from None
    return Metric(name, known.compute, known.unit, known.better, known.toolchain, fixed, output)


def _own(name: str, text: str, settings: dict[str, str]) -> Metric:
    if odd := sorted(settings.keys() - {"better", "unit"}):
        raise UserError(f"--metric {text!r}: there is no setting {odd[0]!r}", hint="it takes better, unit")
    better = settings.get("better", "higher")
    if better not in ("higher", "lower"):
        raise UserError(f"--metric {text!r}: better is higher or lower")
    return Metric(name, "own", settings.get("unit"), "lower" if better == "lower" else "higher")


def _setting(text: str, part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals or not name or not value:
        raise UserError(f"--metric {text!r}: {part!r} is not setting=value", hint="e.g. f1-binary,positive=2")
    return name.strip(), value.strip()

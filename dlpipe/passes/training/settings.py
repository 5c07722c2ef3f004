"""What can be set about training, checked before it begins."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dlpipe_worker import Refused

_CHOICES = {
    "optimizer": ("adamw", "sgd"),
    "task": ("auto", "classification", "regression", "none"),
    "norm": ("auto", "batch", "frozen"),
    "device": ("auto", "cpu", "cuda"),
}
_AUGMENTATIONS = ("flip", "shift")


@dataclass(frozen=True, slots=True)
class Settings:
    """The defaults are the host's (`known/training.py`); their meaning stands in docs and in `FineTune`."""

    epochs: float
    steps: int  # in place of epochs, where it is not 0
    minutes: float  # a budget of time, where it is not 0: the schedule follows the clock
    batch: int
    optimizer: str
    rate: float
    weight_decay: float
    warmup: float  # share of the steps over which the rate rises
    seed: int
    holdout: float  # share of the training data that is kept apart to judge by
    patience: int  # evaluations without progress after which it ends; 0: never
    task: str
    hard: float  # weight of the labels' loss
    soft: float  # weight of the teacher's outputs
    temperature: float
    features: Any  # values that are pulled towards the teacher's: "auto", or [name or [student's, teacher's]]
    feature_weight: float
    attention_weight: float
    augment: tuple[str, ...]
    freeze: tuple[str, ...]
    keep_zeros: bool
    norm: str
    device: str
    processes: int

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> "Settings":
        """Raises Refused for a value that makes no sense."""
        given = {field.name: params[field.name] for field in fields(cls)}
        for field in fields(cls):
            value = given[field.name]
            if field.type in (int, float) and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise Refused(f"{field.name}={value!r} is not a number", kind="unsupported")
            if field.type is int and value != int(value):
                raise Refused(f"{field.name}={value!r} is not a whole number", kind="unsupported")
        for name in ("augment", "freeze"):
            given[name] = tuple(given[name])
        for name, known in _CHOICES.items():
            if given[name] not in known:
                raise Refused(f"{name}={given[name]!r} is not one of {', '.join(known)}", kind="unsupported")
        for name in given["augment"]:
            if name not in _AUGMENTATIONS:
                raise Refused(f"augment={name!r} is not one of {', '.join(_AUGMENTATIONS)}", kind="unsupported")
        for name in ("batch", "temperature"):
            if not given[name] > 0:
                raise Refused(f"{name}={given[name]!r} is not above 0", kind="unsupported")
        for name in ("epochs", "steps", "minutes", "rate", "weight_decay", "patience", "hard", "soft", "processes"):
            if given[name] < 0:
                raise Refused(f"{name}={given[name]!r} is below 0", kind="unsupported")
        if not any(given[name] for name in ("epochs", "steps", "minutes")):
            raise Refused("epochs, steps and minutes are all 0: there is nothing to do", kind="unsupported")
        if not (0 <= given["holdout"] < 1 and 0 <= given["warmup"] < 1):
            raise Refused("holdout and warmup are shares: from 0 to below 1", kind="unsupported")
        return cls(**given)

"""What the user asks of `convert`, independent of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.measure import Metric
from dlpipe.passes.recipes import Recipe
from dlpipe.pipeline.limits import UserLimits
from dlpipe.pipeline.zoo import Expected

Precision = Literal["auto", "fp32", "fp16", "bf16", "int16", "int8", "int4"]

GENERATED_SAMPLES = 16  # enough to tell a wrong model from a right one; says nothing of accuracy
CALIBRATION_SAMPLES = 100
NATIVE_SAMPLES = 2000
TRAINING_SAMPLES = 100_000
SAMPLES_MEMORY = 1 << 30  # bytes that one set of samples may take
TRAINING_SHARE = 0.7  # of the data, where a recipe trains and no data is given for that
EMULATED_SAMPLES = 256  # an emulator is some 20 to 100 times slower
SEED = 20180801


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    model: str
    targets: tuple[str, ...]
    backends: tuple[str, ...] = ()  # empty: the target's default choice; ("all",): every one that can
    precision: Precision = "auto"
    recipes: tuple[Recipe, ...] = ()  # in place of precisions
    data: str | None = None  # what is measured on
    train_data: str | None = None  # what is trained and calibrated on; none: a part of `data`
    labels: Path | None = None  # a text file, one class name a line, in the order of the model's outputs
    metric: Metric | None = None  # how good the model is; None follows from what the labels are
    options: ImportOptions = field(default_factory=ImportOptions)
    limits: UserLimits = field(default_factory=UserLimits)
    gate_confidence: float | None = None  # None: the point estimate decides
    require_verified: bool = False
    out: Path | None = None
    command: str | None = None  # the line that reproduces the run, for the report
    reference: Path | None = None  # golden outputs of the original, where no framework is to run it
    expected: Expected | None = None  # of a zoo model: what the original must reach

    sample_dims: Mapping[str, int] = field(default_factory=dict)  # free dims of generated inputs that stay free

    allow_fallback: str | None = None  # a backend that may take the nodes that others cannot do

    board: str | None = None  # of the farm: its name, or "any" of each target's kind

    tune: float | None = None  # seconds to search for faster code, for each target

    measured: int = NATIVE_SAMPLES  # how many samples at most

    def trains(self) -> bool:
        return any("train" in recipe.needs() for recipe in self.recipes)


def import_options(
    inputs: list[str] | None,
    outputs: list[str] | None,
    shapes: list[str] | None,
    unsafe_load: bool = False,
    factory: str | None = None,
    route: str | None = None,
    preprocess: str | None = None,
) -> ImportOptions:
    """From the texts of the command line. Raises UserError."""
    ports, dims = parse_ports(inputs or []), parse_dims(shapes or [])
    return ImportOptions(ports, tuple(outputs or ()), dims, unsafe_load, factory, preprocess, route)


def parse_ports(texts: list[str]) -> Mapping[str, Mapping[str, Any]]:
    """`name:1x224x224x3[:float32]` -> {"name": {"shape": [1, 224, 224, 3], "dtype": "float32"}}.

    The name may hold colons itself (`Placeholder:0:1x10`). Raises UserError.
    """
    from dlpipe.errors import UserError

    ports: dict[str, dict[str, Any]] = {}
    for text in texts:
        parts = text.split(":")
        dtype = parts.pop() if len(parts) > 2 and parts[-1].isidentifier() else None
        try:
            shape = [int(dim) for dim in parts.pop().replace(",", "x").split("x")]
        except ValueError:
            raise UserError(f"--input {text!r} is not name:shape[:dtype]", hint="e.g. x:1x224x224x3:float32") from None
        if not parts or any(dim < 1 for dim in shape):
            raise UserError(f"--input {text!r} needs a name and positive dims", hint="e.g. x:1x224x224x3:float32")
        ports[":".join(parts)] = {"shape": shape, "dtype": dtype}
    return ports


def parse_dims(texts: list[str]) -> Mapping[str, int]:
    """`batch=4` -> {"batch": 4}. Raises UserError."""
    from dlpipe.errors import UserError

    dims = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not value.isdigit() or int(value) < 1:
            raise UserError(f"--shape {text!r} is not dim=value", hint="e.g. --shape batch=4")
        dims[name] = int(value)
    return dims


def parse_precision(text: str) -> Precision:
    """Raises UserError."""
    from typing import get_args

    from dlpipe.errors import UserError

    known: dict[str, Precision] = {each: each for each in get_args(Precision)}
    if text not in known:
        raise UserError(f"--precision {text!r} is none", hint=f"it is one of {', '.join(known)}")
    return known[text]


def find_recipes(specs: list[str] | None, precision: str = "auto") -> tuple[Recipe, ...]:
    """Of `--recipe`, which stands in place of `--precision`. Raises UserError."""
    from dlpipe.errors import UserError
    from dlpipe.measure.tolerances import TOLERANCES
    from dlpipe.passes.recipes import recipe

    if specs and precision != "auto":
        raise UserError("--recipe and --precision exclude each other", hint="the precisions are recipes too")
    found = tuple(recipe(spec) for spec in dict.fromkeys(specs or ()))
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise UserError(f"two recipes have one name: {', '.join(names)}", hint="the file's `name` tells them apart")
    for each in found:
        if each.judged_as not in TOLERANCES:
            raise UserError(
                f"recipe {each.name}: there is no tolerance {each.tolerance!r}",
                hint=f"there are: {', '.join(TOLERANCES)}",
            )
    return found


def parse_confidence(text: str | None) -> float | None:
    """Raises UserError."""
    from dlpipe.errors import UserError

    if text not in (None, "95%"):
        raise UserError(f"--gate-confidence {text!r}: only 95% is computed")
    return 0.95 if text else None

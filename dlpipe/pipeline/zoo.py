"""The zoo: real trained models that come with dlpipe, each with its data, licence and expected figures."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from dlpipe.errors import UserError


class Recipe(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    target: tuple[str, ...]


class Expected(BaseModel):
    """Figures of the original in its own framework; `tolerance` is absolute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    top1: float
    tolerance: float


class ZooModel(BaseModel):
    """One `zoo/<name>/zoo.toml`. `model` and `data` are paths; the file gives them relative to its folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    kind: str
    task: str
    framework: str
    model: Path
    data: Path | None = None
    licence: str
    origin: str
    commit: str
    data_origin: str | None = None
    recipe: Recipe
    expected: Expected | None = None
    notes: tuple[str, ...] = Field(default=())


def zoo_root() -> Path:
    """Beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parent.parent
    inside = package / "_zoo"
    return inside if inside.is_dir() else package.parent / "zoo"


def zoo_models() -> list[ZooModel]:
    return [_read(path) for path in sorted(zoo_root().glob("*/zoo.toml"))]


def find_zoo_model(name: str) -> ZooModel:
    """Raises UserError with the nearest names when there is none of this name."""
    path = zoo_root() / name / "zoo.toml"
    names = [file.parent.name for file in zoo_root().glob("*/zoo.toml")]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3) or sorted(names)
        raise UserError(f"the zoo has no model {name!r}", hint=f"it has: {', '.join(near)}")
    return _read(path)


def data_of(model: str) -> str | None:
    """What comes with `zoo:NAME` to measure it on; None for another model. Raises UserError as `find_zoo_model`."""
    found = find_zoo_model(model.removeprefix("zoo:")).data if model.startswith("zoo:") else None
    return str(found) if found is not None else None


def _read(path: Path) -> ZooModel:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    for key in ("model", "data"):
        if key in data:
            data[key] = path.parent / data[key]
    return ZooModel.model_validate({"name": path.parent.name, **data})

"""Which targets and backends there are.

A target is a .toml beside this file or in `targets/` of the user's configuration folder (where `add` puts it). A
backend is a class named in BACKENDS, or one that an entry point of the group `dlpipe.backends` names.
"""

from __future__ import annotations

import difflib
import platform
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from dlpipe.contracts.backend import Backend, Target
from dlpipe.errors import UserError

ENTRY_POINTS = "dlpipe.backends"
BACKENDS = {
    "onnxruntime": "dlpipe.targets.onnxruntime:OnnxRuntime",
    "tvm": "dlpipe.targets.tvm:Tvm",
    "ncnn": "dlpipe.targets.ncnn:Ncnn",
}
_CPUINFO = Path("/proc/cpuinfo")
_BUILT_IN = Path(__file__).parent

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class _File(BaseModel):
    """The fields of a target's .toml; `contracts.backend.Target` says what they mean."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    summary: str
    arch: Literal["x86_64", "aarch64", "armv7l", "riscv64"]
    triple: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(-[a-z0-9_]+){2,3}$")]
    abi: str
    isa: list[str]
    runner: Literal["native", "qemu-user", "none"]
    emulator_cpu: str | None = None
    root: Name | None = None
    backends: list[Name] = Field(min_length=1)
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _runnable(self) -> _File:
        if self.runner == "qemu-user" and not self.emulator_cpu:
            raise ValueError('runner = "qemu-user" needs emulator_cpu')
        return self


def read_target(path: Path) -> Target:
    """One .toml. Raises UserError that names the file and each wrong field."""
    try:
        table = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'target'}: {e['msg']}" for e in error.errors())
        raise UserError(f"{path}: {faults}", hint="`dlpipe target show arm64` prints one that is right") from error
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table}
    return Target(**fields)


def user_folder() -> Path:
    """Where the user's own targets stand."""
    return user_config_path("dlpipe") / "targets"


def targets() -> dict[str, Target]:
    """Name -> target, sorted, as they run on this machine. A file of the user's may replace one of ours."""
    files = [*sorted(_BUILT_IN.glob("*.toml")), *sorted(user_folder().glob("*.toml"))]
    found = {target.name: target for target in map(read_target, files)}
    return {name: _on_this_machine(found[name]) for name in sorted(found)}


def target(name: str) -> Target:
    """Raises UserError that lists near matches."""
    found = targets()
    if name not in found:
        raise UserError(f"no target is called {name!r}", hint=_near(name, list(found)))
    return found[name]


def add(path: Path) -> Target:
    """Check a target's .toml and keep a copy in the user's folder. Raises UserError when something in it is wrong."""
    new = read_target(path)
    for name in new.backends:
        backend(name)
    folder = user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{new.name}.toml").write_bytes(path.read_bytes())
    return new


def _on_this_machine(each: Target) -> Target:
    """An arm64 machine runs arm64 artefacts itself, and x86 ones not at all; nor does one that lacks an extension."""
    here = platform.machine() == each.arch
    if each.runner == "native" and not here:
        return replace(each, runner="none")
    if each.runner == "none" or not here:
        return each
    if lacking := sorted(set(each.isa) - _features()):
        note = f"this machine cannot run it: its processor lacks {', '.join(lacking)}"
        return replace(each, runner="none", notes=(*each.notes, note))
    return replace(each, runner="native")


@cache
def _features() -> frozenset[str]:
    """What Linux says of this machine's processor: `flags` on x86, `Features` on Arm."""
    found = re.search(r"(?m)^(?:flags|Features)\s*:(.*)$", _CPUINFO.read_text(errors="replace"))
    return frozenset(found[1].split()) if found else frozenset()


def backends() -> dict[str, Backend]:
    """Name -> backend: ours first, then those of other packages."""
    found = {name: backend(name) for name in BACKENDS}
    for point in _plugged_in():
        found.setdefault(point.name, _plug(point))
    return found


@cache
def backend(name: str) -> Backend:
    """Raises UserError that lists near matches."""
    if name in BACKENDS:
        module, _, attribute = BACKENDS[name].partition(":")
        return cast("Backend", getattr(import_module(module), attribute)())
    plugged = {point.name: point for point in _plugged_in()}
    if name not in plugged:
        raise UserError(f"no backend is called {name!r}", hint=_near(name, [*BACKENDS, *plugged]))
    return _plug(plugged[name])


def _plugged_in() -> Iterator[EntryPoint]:
    yield from sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)


def _plug(point: EntryPoint) -> Backend:
    made = point.load()()
    if not isinstance(made, Backend):
        raise UserError(f"entry point {point.name!r} of {ENTRY_POINTS} ({point.value}) is not a backend")
    return made


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"


def as_dict(each: Target) -> Mapping[str, Any]:
    """The same as data, for `--json`."""
    return {name: getattr(each, name) for name in Target.__dataclass_fields__}

"""Which targets and backends there are.

A target is a .toml beside this file or in `targets/` of the user's configuration folder (where `add` puts it). It may
say only in what it differs from another one (`extends = "arm64"`). A
backend is a class named in BACKENDS, or one that an entry point of the group `dlpipe.backends` names.
"""

from __future__ import annotations

import difflib
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any, cast

from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from dlpipe.contracts.backend import Backend, Kind, Runner, Target
from dlpipe.contracts.toml import read_toml
from dlpipe.errors import UserError
from dlpipe.toolchains.agent.client import address

ENTRY_POINTS = "dlpipe.backends"
BACKENDS = {
    "onnxruntime": "dlpipe.targets.onnxruntime:OnnxRuntime",
    "openvino": "dlpipe.targets.openvino:OpenVino",
    "tvm": "dlpipe.targets.tvm:Tvm",
    "ncnn": "dlpipe.targets.ncnn:Ncnn",
    "qnn": "dlpipe.targets.qnn:Qnn",
    "rknn": "dlpipe.targets.rknn:Rknn",
    "nncase": "dlpipe.targets.nncase:Nncase",
    "atc": "dlpipe.targets.atc:Atc",
    "litert": "dlpipe.targets.litert:LiteRt",
    "mnn": "dlpipe.targets.mnn:Mnn",
    "vela": "dlpipe.targets.vela:Vela",
    "onnxruntime-cuda": "dlpipe.targets.onnxruntime_cuda:OnnxRuntimeCuda",
    "tensorrt-rtx": "dlpipe.targets.tensorrt:TensorRtRtx",
    "tensorrt": "dlpipe.targets.tensorrt:TensorRt",
    "opencv": "dlpipe.targets.opencv:OpenCv",
    "c-source": "dlpipe.targets.csource:CSource",
    "da4ml": "dlpipe.targets.da4ml:Da4ml",
    "hls4ml": "dlpipe.targets.hls4ml:Hls4ml",
    "executorch": "dlpipe.targets.executorch:ExecuTorch",
    "inductor": "dlpipe.targets.inductor:Inductor",
    "paddle": "dlpipe.targets.paddle:Paddle",
    "coreml": "dlpipe.targets.coreml:CoreMl",
}
_PROCESSORS = ("x86_64", "aarch64", "armv7l", "riscv64")
_OPTIONS = ("quantisation", "agent")  # beside those of backends
_CPUINFO = Path("/proc/cpuinfo")
_BUILT_IN = Path(__file__).parent

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class _File(BaseModel):
    """The fields of a target's .toml; `contracts.backend.Target` says what they mean."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    extends: Name | None = None
    summary: str
    kind: Kind = "cpu"
    arch: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([_-][a-z0-9]+)*$")]
    triple: Annotated[str, StringConstraints(pattern=r"^([a-z0-9_.]+(-[a-z0-9_.]+){2,3})?$")] = ""
    abi: str = ""
    isa: list[str] = Field(default_factory=list)
    runner: Runner
    emulator_cpu: str | None = None
    root: Name | None = None
    backends: list[Name] = Field(min_length=1)
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _runnable(self) -> _File:
        if self.runner == "qemu-user" and not self.emulator_cpu:
            raise ValueError('runner = "qemu-user" needs emulator_cpu')
        if self.runner == "native" and self.kind != "cpu":
            raise ValueError(f'runner = "native" is this machine\'s processor, and the kind is {self.kind}')
        if self.kind == "cpu" and (self.arch not in _PROCESSORS or not self.triple):
            raise ValueError(f"a CPU needs its triple, and an arch of {', '.join(_PROCESSORS)}")
        return self


def read_target(path: Path) -> Target:
    """One .toml, with what it takes over from the target that it extends. Raises UserError that names the file and each
    wrong field."""
    try:
        table = _File.model_validate(_table(path))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'target'}: {e['msg']}" for e in error.errors())
        raise UserError(f"{path}: {faults}", hint="`dlpipe target show arm64` prints one that is right") from error
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table}
    return Target(**fields)


def _table(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The fields of a file and of those it extends. Options are taken over one by one, every other field as a whole,
    and notes are each target's own."""
    try:
        own = read_toml(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: not valid TOML: {error}") from error
    if "extends" not in own:
        return own
    name = own["extends"]
    # A file of the user's that replaces one of ours extends ours.
    base = _file_of(name, (_BUILT_IN,) if own.get("name") == name else (user_folder(), _BUILT_IN))
    if base is None:
        known = sorted(each.stem for each in _BUILT_IN.glob("*.toml"))
        raise UserError(f"{path}: extends: no target is called {name!r}", hint=_near(str(name), known))
    if base in seen:
        raise UserError(f"{path}: extends: {' extends '.join(each.stem for each in seen)}, in a circle")
    inherited = _table(base, (*seen, base))
    inherited.pop("notes", None)
    options = inherited.get("options", {})
    if not isinstance(options, dict) or not all(isinstance(value, dict) for value in options.values()):
        raise UserError(f"{base}: options: a table of tables is wanted")
    given = own.get("options", {})
    if isinstance(given, dict) and all(isinstance(value, dict) for value in given.values()):
        own["options"] = options | {key: options.get(key, {}) | value for key, value in given.items()}
    return inherited | own


def _file_of(name: object, folders: Iterable[Path]) -> Path | None:
    files = (folder / f"{name}.toml" for folder in folders)
    return next((file for file in files if isinstance(name, str) and file.is_file()), None)


def here() -> Target | None:
    """The built-in target that says most of this machine's processor; None where none is for it."""
    found = [_on_this_machine(read_target(path)) for path in sorted(_BUILT_IN.glob("*.toml"))]
    mine = [each for each in found if each.kind == "cpu" and each.runner == "native"]
    return max(mine, key=lambda each: (len(each.isa), each.name), default=None)


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
    """Check a target's .toml and keep a copy in the user's folder. Raises UserError when something in it is wrong, or
    would be in a target of the user's that extends it."""
    new, text = read_target(path), path.read_bytes()
    for name in new.backends:
        backend(name)
    for name in new.options:
        if name not in _OPTIONS:
            _check_option(path, name)
    if "url" in new.options.get("agent", {}):
        address(str(new.options["agent"]["url"]))
    folder = user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    place, wrong = folder / f"{new.name}.toml", _wrong()
    before = place.read_bytes() if place.is_file() else None
    place.write_bytes(text)
    if found := {name: why for name, why in _wrong().items() if name not in wrong}:
        place.unlink() if before is None else place.write_bytes(before)
        raise UserError(f"{path}: with it, targets of yours would be wrong: {'; '.join(found.values())}")
    return new


def _check_option(path: Path, name: str) -> None:
    known = [*_OPTIONS, *backends()]
    if name not in known:
        raise UserError(f"{path}: options.{name}: no backend is called so", hint=_near(name, known))


def _wrong() -> dict[str, str]:
    """What is the matter with files in the user's folder."""
    found = {}
    for path in sorted(user_folder().glob("*.toml")):
        try:
            read_target(path)
        except UserError as error:
            found[path.name] = str(error)
    return found


def _on_this_machine(each: Target) -> Target:
    """An arm64 machine runs arm64 artefacts itself, and x86 ones not at all; nor does one that lacks an extension."""
    if each.kind != "cpu" or each.runner == "device":
        return each
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

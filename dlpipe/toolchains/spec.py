"""What a `toolchain.toml` says."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from dlpipe.errors import UserError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]

# Fields that describe or check an environment and do not change what gets installed.
_DESCRIPTIVE = frozenset(
    {
        "name",
        "build_of",
        "summary",
        "size_mb",
        "licence",
        "licence_text",
        "proprietary",
        "resolved_for",
        "vendor",
        "limits",
        "apt",
        "imports",
        "devices",
        "source",
    }
)

_TERMS = ("licence", "vendor", "licence_text")  # what a user must be told who is asked to accept them


class Spec(BaseModel):
    """One toolchain: `kind = "python"` is a virtual environment (or, with `platform`, a folder of foreign wheels),
    `kind = "debian"` a root assembled from Debian packages. The full resolution stands in `toolchain.lock` beside it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    kind: Literal["python", "debian"] = "python"
    summary: str
    variant: str = "default"  # the build of a tool that comes in several: cpu, cuda
    build_of: Name | None = None  # taken for that toolchain wherever its packages can be had (see builds.py)
    size_mb: int | None = Field(default=None, gt=0)  # on disk once installed, roughly
    licence: str | None = None  # SPDX expression, or the name of a proprietary licence
    proprietary: bool = False  # installed only on the user's word (see licences.py); the two fields below say more
    vendor: str | None = None  # whose licence it is
    licence_text: str | None = None  # where it can be read before anything is installed
    limits: str | None = None  # what is known not to work
    apt: Mapping[str, str] = Field(default_factory=dict)  # program it needs on the machine -> its Debian package
    imports: list[str] = Field(default_factory=list)  # modules that `doctor` imports to see that it works
    devices: list[Literal["nvidia", "vulkan"]] = Field(default_factory=list)  # of this machine, for its workers

    python: Annotated[str, StringConstraints(pattern=r"^3\.\d+$")] | None = None
    requirements: list[str] = Field(default_factory=list)
    no_deps: list[str] = Field(default_factory=list)  # installed without what their metadata asks for
    platform: str | None = None  # a foreign one, as uv names it or in that form (aarch64-manylinux_2_28): just wheels
    resolved_for: str | None = None  # wheels that want a newer C library than most: x86_64-manylinux_2_35
    prepare: list[str] = Field(default_factory=list)  # a script beside this file, and its arguments: see install/python

    suite: str | None = None
    architecture: str | None = None
    packages: list[str] = Field(default_factory=list)
    omit: list[str] = Field(default_factory=list)  # dependencies of those that are not wanted
    keep: list[str] = Field(default_factory=lambda: ["*"])  # patterns of the files to unpack; `*` crosses slashes
    drop: list[str] = Field(default_factory=list)  # patterns of files left out all the same
    files: Mapping[str, str] = Field(default_factory=dict)  # further files: path in the root -> text

    source: Path = Field(exclude=True)  # the file this was read from

    @property
    def lock_path(self) -> Path:
        return self.source.with_name("toolchain.lock")

    @property
    def runs_here(self) -> bool:
        """Whether it has an interpreter that workers can be started with."""
        return self.kind == "python" and self.platform is None

    def what_matters(self) -> dict[str, Any]:
        """The fields that decide what is installed, as JSON values: they are part of the digest.

        Those that stand at their default are left out, so that a field that is added later changes no digest. Of the
        script that prepares the environment the content counts.
        """
        fields = self.model_dump(mode="json", exclude=set(_DESCRIPTIVE), exclude_defaults=True)
        if self.prepare:
            try:
                fields["prepare"][0] = hashlib.sha256(self.source.with_name(self.prepare[0]).read_bytes()).hexdigest()
            except OSError as error:
                raise UserError(f"{self.source}: prepare: {self.prepare[0]}: {error.strerror}") from error
        return fields

    @model_validator(mode="after")
    def _complete(self) -> Spec:
        python = {"python", "requirements", "no_deps", "platform", "prepare", "imports", "resolved_for"}
        debian = {"suite", "architecture", "packages"}
        choices = {"omit", "keep", "drop", "files"}
        foreign = debian | choices if self.kind == "python" else python
        if wrong := sorted(foreign & self.model_fields_set):
            raise ValueError(f'kind = "{self.kind}" has no {", ".join(wrong)}')
        if self.proprietary and (lacking := [name for name in _TERMS if getattr(self, name) is None]):
            raise ValueError(f"a proprietary toolchain needs {', '.join(lacking)}")
        if self.platform and self.prepare:
            raise ValueError("nothing of a foreign platform can run here: it has no prepare")
        needed = {"python"} if self.kind == "python" else debian
        if missing := sorted(needed - self.model_fields_set):
            raise ValueError(f'kind = "{self.kind}" needs {", ".join(missing)}')
        return self


def read_spec(path: Path) -> Spec:
    """Read a `toolchain.toml`. Raises UserError that names the file and the field."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return Spec.model_validate({**table, "source": path})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        faults = "; ".join(_fault(detail["loc"], detail["msg"]) for detail in error.errors())
        raise UserError(f"{path}: {faults}", hint="see dlpipe/toolchains/spec.py for the fields") from error


def _fault(location: tuple[int | str, ...], message: str) -> str:
    field = ".".join(str(part) for part in location)
    return f"{field}: {message}" if field else message


def normalised(package: str) -> str:
    """A Python package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", package).lower()

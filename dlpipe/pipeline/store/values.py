"""What the store holds: trees of files, and records of finished stages. Immutable values, checked when read back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from dlpipe.contracts.json import canonical, digest
from dlpipe.errors import UserError

Kind = Literal["record", "tree", "object"]
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Lost(UserError):
    """A tree or an object that was in the store is missing or damaged. What made it can be run again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the store that is not what its name says. `name` is a record's key, or a digest."""

    kind: Kind
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.reason}"


@dataclass(frozen=True, slots=True, order=True)
class File:
    """`name` is relative, with `/` between its parts. `size` in bytes."""

    name: str
    sha256: str
    size: int
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a folder, sorted by name. Empty folders, times and owners are not part of it."""

    digest: str
    files: tuple[File, ...]

    @classmethod
    def of(cls, files: Iterable[File]) -> Self:
        """Raises ValueError on names that cannot stand together in one folder, or would leave it."""
        ordered = tuple(sorted(files))
        names = {file.name for file in ordered}
        if len(names) != len(ordered):
            raise ValueError("a name occurs twice")
        for file in ordered:
            _check(file, names)
        return cls(digest([_entry(file) for file in ordered]), ordered)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def file(self, name: str) -> File:
        """Raises LookupError."""
        for file in self.files:
            if file.name == name:
                return file
        raise LookupError(f"no {name} in tree {self.digest[:12]}")

    def dump(self) -> bytes:
        files = [asdict(file) for file in self.files]
        return canonical({"files": files, "checksum": digest(files)})

    @classmethod
    def load(cls, data: bytes, expected: str) -> Self:
        """Raises ValueError unless `data` is the undamaged manifest of the tree `expected`."""
        files = _sealed(data, "files")
        try:
            tree = cls.of(File(**file) for file in files)
        except TypeError as error:
            raise ValueError(str(error)) from error
        if tree.digest != expected:
            raise ValueError("it is the manifest of another tree")
        return tree


@dataclass(frozen=True, slots=True)
class Record:
    """What a finished stage left. `parts` is exactly what `key` was hashed over; `output` the digest of its tree;
    `log` the digest of a text object; `seconds` the time it took to make; `created` in UTC, ISO 8601."""

    key: str
    parts: Mapping[str, Any]
    output: str | None
    value: Any
    notes: tuple[Mapping[str, Any], ...]
    seconds: float
    created: str
    log: str | None = None
    tools: Mapping[str, Any] = field(default_factory=dict)

    def dump(self) -> bytes:
        """Raises ValueError when it would not be read back as it is."""
        data = canonical({"record": asdict(self), "checksum": digest(asdict(self))})
        self.load(data, self.key)
        return data

    @classmethod
    def load(cls, data: bytes, expected: str) -> Self:
        """Raises ValueError unless `data` is the undamaged record of the key `expected`."""
        fields = _sealed(data, "record")
        try:
            record = cls(**{**fields, "notes": tuple(fields["notes"])})
        except (TypeError, KeyError) as error:
            raise ValueError(str(error)) from error
        if record.key != expected or digest(record.parts) != expected:
            raise ValueError("its key is not the digest of its parts")
        for name in (record.output, record.log):
            if name is not None:
                check_digest(name)
        return record


def check_digest(text: str) -> str:
    """Raises ValueError unless `text` is a SHA-256 in lower-case hex: nothing else becomes part of a path."""
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise ValueError(f"not a SHA-256: {text!r}")
    return text


def _entry(file: File) -> list[str]:
    return [file.name, file.sha256, *(["x"] if file.executable else [])]


def _check(file: File, names: set[str]) -> None:
    check_digest(file.sha256)
    parts = file.name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise ValueError(f"not a relative file name: {file.name!r}")
    if any("/".join(parts[:count]) in names for count in range(1, len(parts))):
        raise ValueError(f"a file stands where {file.name!r} needs a folder")
    if type(file.size) is not int or file.size < 0 or type(file.executable) is not bool:
        raise ValueError(f"wrong size or mode of {file.name!r}")


def _sealed(data: bytes, field_name: str) -> Any:
    """The field of a JSON object `{field, "checksum"}` whose checksum is right. Raises ValueError."""
    try:
        value = json.loads(data)
        content, checksum = value[field_name], value["checksum"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not what dlpipe wrote: {error}") from error
    if digest(content) != checksum:
        raise ValueError("its checksum is wrong")
    return content

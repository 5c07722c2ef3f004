"""Files below a URL of an object store or a file system, by way of fsspec. Each is there in full or not at all.

Credentials are the client library's business: for S3 the environment (`AWS_*`) or the machine's role. They are never
part of the URL, which is shown to people.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from dlpipe.errors import StoreUnreachable, ToolMissing, UserError, how_to_add

VARIABLE = "DLPIPE_STORE_URL"
_PART = re.compile(r"[A-Za-z0-9._-]+")
# Where putting a file under its name is one step. Elsewhere it gets its name only once it is complete.
_ATOMIC = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory")
_USERINFO = re.compile(r"//[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Entry:
    """`size` in bytes; `modified` in seconds since 1970, by the store's clock."""

    name: str
    size: int
    modified: float


class TooLargeError(Exception):
    """More bytes than may be: it was not fetched, or not kept."""


class Bucket:
    """`name` is relative, with `/` between its parts. What goes wrong beyond this machine is StoreUnreachable."""

    def __init__(self, url: str) -> None:
        """Raises UserError."""
        scheme, place = urlsplit(url)[:2]
        if not scheme or "::" in url or "://" not in url:
            raise UserError(f"{VARIABLE} is to be an address such as s3://bucket/prefix")
        if "@" in place or "?" in url or "#" in url:
            hint = "for S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL_S3"
            raise UserError(f"{VARIABLE} holds no credentials and options: the client reads them by itself", hint=hint)
        self.url = url.rstrip("/")
        self._scheme = scheme

    @classmethod
    def of_environment(cls) -> Self | None:
        """At `$DLPIPE_STORE_URL`; None where it is not set. Raises UserError."""
        url = os.environ.get(VARIABLE)
        return cls(url) if url else None

    def open(self) -> None:
        """Have the client ready, without asking the bucket. Raises ToolMissing, UserError."""
        _ = self._files

    def below(self, *parts: str) -> Bucket:
        if not all(_PART.fullmatch(part) for part in parts):
            raise ValueError(f"not a part of an address: {parts}")
        return Bucket("/".join((self.url, *parts)))

    def fetch(self, name: str, path: Path, limit: int) -> None:
        """Into a new file. Raises FileNotFoundError where there is none, TooLargeError, StoreUnreachable."""
        with self._asking():
            self._files.get_file(self._place(name), str(path), callback=_at_most(limit))
        if path.stat().st_size > limit:
            raise TooLargeError(name)

    def has(self, name: str) -> bool:
        return self.size(name) is not None

    def size(self, name: str) -> int | None:
        """In bytes; None where there is none."""
        try:
            with self._asking():
                return int(self._files.info(self._place(name))["size"])
        except FileNotFoundError:
            return None

    def entry(self, name: str) -> Entry | None:
        """None where there is none."""
        try:
            with self._asking():
                info = self._files.info(self._place(name))
                return Entry(name, int(info["size"]), _modified(info))
        except FileNotFoundError:
            return None

    def modified(self, name: str) -> float | None:
        """In seconds since 1970; None where there is none."""
        found = self.entry(name)
        return found.modified if found is not None else None

    def listing(self, folder: str) -> list[Entry]:
        """All that is below it, by name: whatever was there all the time. Raises StoreUnreachable."""
        from fsspec.core import strip_protocol

        place = self._place(folder).rstrip("/")
        for _ in range(10):
            try:
                with self._asking():
                    found: dict[str, dict[str, Any]] = self._files.find(place, detail=True)
                    root = len(strip_protocol(self.url).rstrip("/")) + 1
                    files = [(path, of) for path, of in sorted(found.items()) if of["type"] == "file"]
                    return [Entry(path[root:], int(of["size"]), _modified(of)) for path, of in files]
            except FileNotFoundError:  # there is no such folder; or a file went while its folder was listed
                with self._asking():
                    if not self._files.isdir(place):
                        return []
        raise self._trouble(OSError(f"{folder} changes faster than it can be listed"))

    def folders(self, folder: str) -> list[str]:
        """Names of what is directly below it."""
        try:
            with self._asking():
                found = self._files.ls(self._place(folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError, StoreUnreachable."""
        with self._asking():
            data: bytes = self._files.cat_file(self._place(name))
        return data

    def read_part(self, name: str, offset: int, limit: int) -> bytes:
        """At most `limit` bytes from `offset` on; nothing where there are none."""
        size = self.size(name) or 0
        if offset >= size:
            return b""
        try:
            with self._asking():
                data: bytes = self._files.cat_file(self._place(name), start=offset, end=min(size, offset + limit))
        except FileNotFoundError:  # just gone
            return b""
        return data

    def send(self, name: str, path: Path) -> None:
        """A file, in the place of whatever has its name."""
        with self._asking(), self._putting(name) as place:
            self._files.put_file(str(path), place)

    def write(self, name: str, data: bytes) -> None:
        with self._asking(), self._putting(name) as place:
            self._files.pipe_file(place, data)

    def create(self, name: str, data: bytes) -> bool:
        """False where there is one: it stays. On S3 as Amazon has it that holds for any number at once; elsewhere, and
        on Swift, those that come at the same moment may each believe to be the first."""
        try:
            with self._asking():
                if self._scheme in _ATOMIC:
                    self._files.pipe_file(self._place(name), data, mode="create")
                    return True
            if self.has(name):
                return False
            self.write(name, data)
        except FileExistsError:
            return False
        except FileNotFoundError as error:
            raise self._trouble(error) from error
        except StoreUnreachable as error:
            if _is_there(error.__cause__):
                return False
            raise
        return True

    def remove(self, name: str) -> bool:
        """Whether it was there."""
        if not self.has(name):
            return False
        try:
            with self._asking():
                self._files.rm_file(self._place(name))
        except FileNotFoundError:  # another was faster
            return False
        return True

    def move(self, name: str, to: str) -> bool:
        """Whether it was there. On an object store it has both names for a moment."""
        try:
            with self._asking():
                if self._scheme in _ATOMIC:
                    self._files.cp_file(self._place(name), self._place(to))
                    self._files.rm_file(self._place(name))
                else:
                    self._files.mv(self._place(name), self._place(to))
        except FileNotFoundError:
            return False
        return True

    def copy(self, name: str, to: str) -> bool:
        """Whether it was there."""
        try:
            with self._asking():
                if self._scheme in _ATOMIC:
                    self._files.cp_file(self._place(name), self._place(to))
                else:
                    part = self._place(f"{to}.{secrets.token_hex(8)}.part")
                    self._files.cp_file(self._place(name), part)
                    self._files.mv(part, self._place(to))
        except FileNotFoundError:
            return False
        return True

    @cached_property
    def _files(self) -> Any:
        try:
            from fsspec.core import url_to_fs

            options = {"auto_mkdir": True} if self._scheme in ("file", "local") else {}
            return url_to_fs(self.url, use_listings_cache=False, **options)[0]
        except ImportError as error:
            hint = how_to_add("s3") if self._scheme in ("s3", "s3a") else "install that package beside dlpipe"
            raise ToolMissing(f"{self._scheme}:// needs a package that is not installed: {error}", hint=hint) from error
        except ValueError as error:
            raise UserError(f"{VARIABLE}: {error}") from error

    def _place(self, name: str) -> str:
        return f"{self.url}/{name}"

    @contextmanager
    def _putting(self, name: str) -> Iterator[str]:
        """The address to write to."""
        place = self._place(name)
        try:
            if self._scheme in _ATOMIC:
                yield place
            else:
                part = f"{place}.{secrets.token_hex(8)}.part"
                yield part
                self._files.mv(part, place)
        except FileNotFoundError as error:  # there is no such bucket
            raise self._trouble(error) from error

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, FileExistsError, TooLargeError, UserError):
            raise
        except Exception as error:  # each of fsspec's file systems has errors of its own
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise  # this machine's disk
            raise self._trouble(error) from error

    def _trouble(self, error: Exception) -> StoreUnreachable:
        said = _USERINFO.sub("//", f"{type(error).__name__}: {error}".splitlines()[0])[:300]
        hint = (
            f"look at {VARIABLE}, the credentials and the network; without {VARIABLE} only this machine's cache is used"
        )
        return StoreUnreachable(f"the shared store {self.url} does not answer as it should: {said}", hint=hint)


def _modified(info: dict[str, Any]) -> float:
    """Each of fsspec's file systems has a word of its own for it."""
    for word in ("LastModified", "last_modified", "mtime", "created"):
        match info.get(word):
            case datetime() as when:
                return when.timestamp()
            case int() | float() as when:
                return float(when)
    raise OSError(errno.ENOTSUP, "this kind of store does not tell when something was written")


def _is_there(error: BaseException | None) -> bool:
    """Whether a conditional put was refused. s3fs tells it by FileExistsError only where the server names the condition
    in its answer, as Amazon does and Swift does not."""
    answer = getattr(error.__cause__, "response", {}) if error is not None else {}
    return bool(answer.get("ResponseMetadata", {}).get("HTTPStatusCode") == HTTPStatus.PRECONDITION_FAILED)


def _at_most(limit: int) -> Any:
    """Ends a transfer before it begins, where the other side tells the size, or else once it is too much."""
    from fsspec.callbacks import Callback

    class AtMost(Callback):  # type: ignore[misc]  # fsspec has no types
        come = 0

        def set_size(self, size: int | None) -> None:
            if size is not None and size > limit:
                raise TooLargeError(f"{size} bytes")

        def relative_update(self, inc: int = 1) -> None:
            self.come += inc
            if self.come > limit:
                raise TooLargeError(f"more than {limit} bytes")

    return AtMost()

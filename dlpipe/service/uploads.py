"""Uploaded files, each under its SHA-256, in a folder of its team.

A team's folder holds what that team has sent, nothing else: no answer, and no answer's speed, tells whether another
team has a file. `<digest>.part` is an upload that is not complete, and its size is where it goes on.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from anyio import fail_after
from anyio.to_thread import run_sync

from dlpipe.service.quotas import room
from dlpipe.service.shared import Shared

MAX_BYTES = 4 << 30
SILENCE_SECONDS = 60.0  # after which a sender has gone, though nothing said so, such as a machine that fell asleep
_BLOCK = 1 << 20


class UploadRefused(Exception):
    """`status` as of HTTP. `offset`: where the upload would go on."""

    def __init__(self, status: int, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Received:
    size: int
    complete: bool


class Uploads:
    """Of one team. `shared`: where other machines find them too; methods then raise StoreUnreachable."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES, shared: Shared | None = None) -> None:
        self._folder = folder
        self._max = max_bytes
        self._shared = shared

    def path(self, digest: str) -> Path:
        """Where the complete file is, or would be."""
        return self._folder / digest[:2] / digest

    def missing(self, digests: set[str]) -> list[str]:
        """Those that are not there in full, sorted; the others are there for every machine."""
        return sorted(digest for digest in digests if not self._there(digest))

    def bring(self, digest: str) -> Path:
        """Where the complete file is, fetched if need be. Raises Lost."""
        path = self.path(digest)
        if self._shared is not None and not path.is_file():
            self._shared.fetch_upload(digest, path, self._max)
        return path

    def received(self, digest: str) -> Received | None:
        """None where nothing has come yet. Whoever looks is about to use it: it counts as new (gc.py)."""
        found = self._here(digest)
        with suppress(FileNotFoundError):
            os.utime(self.path(digest))
        if self._shared is not None and not (found and found.complete):
            size = self._shared.look_for_upload(digest)
            return Received(size, True) if size is not None else found
        return found

    def room(self, digest: str) -> int:
        """Bytes that it takes of this disk, a part too; 0 where there is nothing of it."""
        found = self._here(digest)
        return room(found.size) if found is not None else 0

    def remove(self, digest: str) -> bool:
        """Whether anything was there. Raises UploadRefused while somebody sends it."""
        found = False
        part = self._part(digest)
        with suppress(FileNotFoundError), part.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UploadRefused(409, "this file is being uploaded just now") from None
            part.unlink()
            found = True
        with suppress(FileNotFoundError):
            self.path(digest).unlink()
            found = True
        return (self._shared is not None and self._shared.remove_upload(digest)) or found

    async def take(self, digest: str, start: int, total: int, chunks: AsyncIterator[bytes]) -> Received:
        """Append what comes, from `start` on; once `total` bytes are there, their digest is checked.

        What has come before a connection breaks is kept. Raises UploadRefused: too large, not where the upload stands,
        sent by two at once, nothing more comes, or another content than promised, which is thrown away.
        """
        if total > self._max:
            raise UploadRefused(413, f"an upload may have {self._max} bytes, and this one has {total}")
        if self.path(digest).is_file():
            return Received(self.path(digest).stat().st_size, True)
        part = self._part(digest)
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UploadRefused(409, "this file is being uploaded already") from None
            if not _is(file.fileno(), part):  # the other sender ended between our opening and our locking
                raise UploadRefused(409, "this file's upload has just ended: ask for it again")
            size = os.fstat(file.fileno()).st_size
            if start == 0 and size:  # from the beginning again
                file.truncate(0)
                size = 0
            if start != size:
                raise UploadRefused(409, f"the upload stands at byte {size}, not {start}", size)
            async for chunk in _awake(chunks):
                size += len(chunk)
                if size > total:
                    file.truncate(0)
                    raise UploadRefused(400, f"more came than the {total} bytes that were announced", 0)
                file.write(chunk)
            file.flush()
            if size < total:
                return Received(size, False)
            return await self._complete(digest, part, file.fileno())

    async def _complete(self, digest: str, part: Path, descriptor: int) -> Received:
        if await run_sync(_hash, part) != digest:
            part.unlink()
            raise UploadRefused(422, "the content has another SHA-256 than its name says", 0)
        await run_sync(os.fsync, descriptor)
        if self._shared is not None:
            await run_sync(self._shared.send_upload, digest, part)
        part.chmod(0o444)
        size = part.stat().st_size
        part.rename(self.path(digest))
        return Received(size, True)

    def _here(self, digest: str) -> Received | None:
        for path, complete in ((self.path(digest), True), (self._part(digest), False)):
            with suppress(FileNotFoundError):
                return Received(path.stat().st_size, complete)
        return None

    def _there(self, digest: str) -> bool:
        if self._shared is None:
            return self.path(digest).is_file()
        if self.path(digest).is_file():  # perhaps since before there was a bucket
            self._shared.send_upload(digest, self.path(digest))
            return True
        return self._shared.look_for_upload(digest) is not None

    def _part(self, digest: str) -> Path:
        path = self.path(digest)
        return path.with_name(path.name + ".part")


async def _awake(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A sender that is silent must not hold the file's lock for ever: it could not even go on itself."""
    while True:
        try:
            with fail_after(SILENCE_SECONDS):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise UploadRefused(408, f"nothing came for {SILENCE_SECONDS:g} s: what has come is kept") from None
        yield chunk


def _is(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

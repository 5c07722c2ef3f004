"""What the agent keeps and does, however it is asked."""

import os
import platform
import secrets
import shutil
import stat
import tarfile
import tempfile
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, Callable, Dict, List, Optional, Tuple

from dlpipe.toolchains.agent.parts.common import (
    HOUSE,
    MAX_HELD,
    MAX_OUTPUTS,
    VERSION,
    Failed,
    check_digest,
    inside,
)
from dlpipe.toolchains.agent.parts.guest import Guest
from dlpipe.toolchains.agent.parts.machine import governor, processor


class Board:
    """What the agent keeps: folders by digest, and programs that wait to be timed. Of the folders, those that were used
    least lately go when they exceed `space` bytes together, but never one that a program reads."""

    def __init__(self, folder: Path, name: str, python: List[str], site: Optional[str], space: int) -> None:
        self.name, self._python, self._site = name, python, site
        self.session = secrets.token_hex(16)
        self._folder, self._space = folder, space
        self._kept: "OrderedDict[str, int]" = OrderedDict()  # digest -> bytes, the one used last at the end
        self._read: Dict[str, int] = {}  # digest -> by how many programs
        self._guard = threading.RLock()  # of these two, and of the folders
        self._alone = threading.Lock()  # one run or timing at a time: others would disturb it
        self._held: Dict[str, Guest] = {}
        self._running: Optional[Guest] = None

    def about(self) -> Dict[str, Any]:
        return {
            "agent": VERSION,
            "session": self.session,
            "name": self.name,
            "machine": platform.machine(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "processor": processor(),
            "governor": governor(),
        }

    def has(self, digest: str) -> bool:
        check_digest(digest)
        with self._guard:
            return self._touched(digest)

    def _touched(self, digest: str) -> bool:
        if digest in self._kept:
            self._kept.move_to_end(digest)
        return digest in self._kept

    def scratch(self) -> IO[bytes]:
        """A file for an upload."""
        return tempfile.TemporaryFile(dir=str(self._folder))

    def put(self, digest: str, body: IO[bytes]) -> None:
        """A tar of plain files; `digest` is that of the tar."""
        check_digest(digest)
        with tempfile.TemporaryDirectory(dir=str(self._folder)) as making:
            made, size = Path(making, "made"), 0
            made.mkdir()
            with tarfile.open(fileobj=body, mode="r:") as tar:
                for member in tar:
                    size += member.size
                    if size > self._space:
                        raise Failed(
                            "it is larger than the %d bytes that this board keeps: see --space" % self._space, 507
                        )
                    _unpack(tar, member, made)
            with self._guard:
                if not self._touched(digest):  # else another client was first
                    self._make_room(size)
                    os.rename(str(made), str(self._folder / digest))
                    self._kept[digest] = size

    def _make_room(self, size: int) -> None:
        while sum(self._kept.values()) + size > self._space:
            idle = next((each for each in self._kept if not self._read.get(each)), None)
            if idle is not None:
                shutil.rmtree(str(self._folder / idle))
                del self._kept[idle]
            elif not self._dropped():
                raise Failed("what its programs read leaves no room for %d bytes more: see --space" % size, 507)

    def _dropped(self) -> bool:
        """Whether there was a program that waits to be timed, and nothing at work: the oldest one is ended."""
        if not self._held or not self._alone.acquire(blocking=False):
            return False
        try:
            self._drop(next(iter(self._held)))
            return True
        finally:
            self._alone.release()

    def run(self, asked: Dict[str, Any], gone: Callable[[], bool]) -> Tuple[Dict[str, Any], bytes]:
        """Feed all samples to the artefact: (what the program said, outputs.npz)."""
        until = self._turn(asked, gone)
        try:
            with tempfile.TemporaryDirectory(dir=str(self._folder)) as folder:
                outputs = Path(folder, "outputs.npz")
                guest = self._running = self._start(asked, Path(folder), [str(outputs)])
                try:
                    answer = guest.ask(None, until, gone)
                finally:
                    self._running = None
                    self._end(guest)
                return {**answer, "board": self.about()}, _outputs(outputs)
        finally:
            self._alone.release()

    def time(self, asked: Dict[str, Any], gone: Callable[[], bool]) -> Dict[str, Any]:
        """Time some runs of the first sample; the program stays under asked["handle"]."""
        handle, what = str(asked["handle"]), {"warmup": asked["warmup"], "runs": asked["runs"]}
        until = self._turn(asked, gone)
        try:
            guest = self._held.get(handle)
            if guest is None:
                while len(self._held) >= MAX_HELD:
                    self._drop(next(iter(self._held)))
                folder = Path(tempfile.mkdtemp(dir=str(self._folder)))
                try:
                    guest = self._held[handle] = self._start(asked, folder, ["--time"])
                except BaseException:
                    shutil.rmtree(str(folder), ignore_errors=True)
                    raise
            try:
                return guest.ask(what, until, gone)
            except BaseException:  # what it would answer next is to another question
                self._drop(handle)
                raise
        finally:
            self._alone.release()

    def forget(self) -> None:
        """Nothing that was sent stays: what comes next is another's. Only while nothing is at work."""
        for handle in list(self._held):
            self._drop(handle)
        with self._guard:
            for digest in list(self._kept):
                shutil.rmtree(str(self._folder / digest))
                del self._kept[digest]

    def close(self) -> None:
        for guest in [*self._held.values(), self._running]:
            if guest is not None:
                guest.end()

    def _turn(self, asked: Dict[str, Any], gone: Callable[[], bool]) -> float:
        """Wait for the others. Returns until when this one may go on: its seconds count from now."""
        seconds = float(asked["seconds"])
        until = time.monotonic() + seconds
        if not self._alone.acquire(timeout=seconds):
            raise Failed("others kept this board busy for %d seconds" % seconds, 503)
        if gone():
            self._alone.release()
            raise Failed("nobody waits for it any more", 499)
        return until

    def _drop(self, handle: str) -> None:
        guest = self._held.pop(handle)
        self._end(guest)
        shutil.rmtree(str(guest.folder), ignore_errors=True)

    def _start(self, asked: Dict[str, Any], folder: Path, last: List[str]) -> Guest:
        for name, text in asked["code"].items():
            path = inside(folder / HOUSE, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        uses = [asked["artifact"], asked["samples"]]
        with self._guard:
            for digest in uses:
                check_digest(digest)
                if not self._touched(digest):
                    raise Failed("it is not here any more: %s" % digest, 410)
            for digest in uses:
                self._read[digest] = self._read.get(digest, 0) + 1
        artifact, samples = (self._folder / digest for digest in uses)
        command = ["-m", "%s.%s" % (HOUSE, asked["guest"]), str(artifact), str(samples / "samples.npz")]
        try:
            return Guest(self._python + command + last, folder, folder / "log", self._site, uses)
        except BaseException:
            self._leave(uses)
            raise

    def _end(self, guest: Guest) -> None:
        guest.end()
        self._leave(guest.uses)

    def _leave(self, uses: List[str]) -> None:
        with self._guard:
            for digest in uses:
                self._read[digest] -= 1
                if not self._read[digest]:
                    del self._read[digest]


def _outputs(path: Path) -> bytes:
    """Of a plain file: the artefact may have put a device there, or more than this agent has memory for."""
    try:
        found = os.lstat(str(path))
    except OSError:
        raise Failed("it left no outputs", 422) from None
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_OUTPUTS:
        raise Failed("its outputs are no file of at most %d bytes" % MAX_OUTPUTS, 422)
    return path.read_bytes()


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    path = inside(folder, member.name)
    if not member.isfile():
        raise Failed("only plain files are taken, and %r is none" % member.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None
    with path.open("wb") as target:
        shutil.copyfileobj(source, target)
    path.chmod(0o755 if member.mode & 0o100 else 0o644)

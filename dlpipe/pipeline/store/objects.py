"""Read-only blobs under their SHA-256, and the manifests of trees under their digest."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from dlpipe.pipeline.store.disk import content_time, copy_durably, hash_file, temporary, write_durably
from dlpipe.pipeline.store.values import Problem, Tree, check_digest

State = Literal["intact", "missing", "damaged"]


class Objects:
    """The folders `objects/`, `trees/`, `records/`, `damaged/` and `tmp/` below `root`. Does no locking."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tmp = root / "tmp"
        self.damaged = root / "damaged"
        for folder in ("objects", "trees", "records", "pins", "damaged", "tmp"):
            (root / folder).mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self.root / "objects" / check_digest(sha256)[:2] / sha256[2:]

    def tree_path(self, digest: str) -> Path:
        return self.root / "trees" / check_digest(digest)[:2] / f"{digest[2:]}.json"

    def record_path(self, key: str) -> Path:
        return self.root / "records" / f"{check_digest(key)}.json"

    def add(self, source: int) -> tuple[str, int]:
        """Take the content of an open file; returns SHA-256 and size in bytes."""
        with temporary(self.tmp) as fresh:
            sha256, size = copy_durably(source, fresh)
            if not self.refresh(sha256, size):
                self._settle(fresh, self.path(sha256))
        return sha256, size

    def add_bytes(self, data: bytes) -> str:
        """Take a small content as an object; returns its SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        with temporary(self.tmp) as fresh:
            write_durably(fresh, data)
            os.utime(fresh, ns=(content_time(sha256),) * 2)
            self._settle(fresh, self.path(sha256))
        return sha256

    def adopt(self, fresh: Path, sha256: str) -> bool:
        """Take a file of `tmp` that nobody has open, if that is its content."""
        if hash_file(fresh) != sha256:
            return False
        descriptor = os.open(fresh, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fchmod(descriptor, 0o444)
            os.utime(descriptor, ns=(content_time(sha256),) * 2)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._settle(fresh, self.path(sha256))
        return True

    def add_tree(self, tree: Tree) -> None:
        with temporary(self.tmp) as fresh:
            write_durably(fresh, tree.dump())
            self._settle(fresh, self.tree_path(tree.digest))

    def add_record(self, key: str, data: bytes) -> bool:
        """False when there is one already: the first wins."""
        with temporary(self.tmp) as fresh:
            write_durably(fresh, data)
            try:
                os.link(fresh, self.record_path(key))
            except FileExistsError:
                return False
        return True

    def refresh(self, sha256: str, size: int | None) -> bool:
        """Whether the object is there and intact; if so, it counts as new from now on, so that gc leaves it alone."""
        if self.state(sha256, size) != "intact":
            return False
        os.utime(self.path(sha256), ns=(content_time(sha256),) * 2)  # renews the inode's change time
        return True

    def state(self, sha256: str, size: int | None = None, *, thorough: bool = False) -> State:
        """Looks at size and time stamp; hashes when these changed, or when `thorough`."""
        path, expected = self.path(sha256), content_time(sha256)
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                return "damaged"
            stamped = status.st_mtime_ns == expected and size in (None, status.st_size)
            if stamped and not thorough:
                return "intact"
            if hash_file(path) != sha256:
                return "damaged"
        except FileNotFoundError:
            return "missing"
        except OSError:  # a sector that cannot be read
            return "damaged"
        if not stamped:
            with suppress(OSError):  # only spares the next look the hashing
                path.chmod(0o444)
                os.utime(path, ns=(expected, expected))
        return "intact"

    def read_tree(self, digest: str) -> Tree:
        """Raises FileNotFoundError, or ValueError when the manifest is damaged."""
        return Tree.load(self.tree_path(digest).read_bytes(), digest)

    def all_objects(self) -> list[str]:
        return sorted(_names(self.root / "objects", "*/*", lambda path: path.parent.name + path.name))

    def all_trees(self) -> list[str]:
        return sorted(_names(self.root / "trees", "*/*.json", lambda path: path.parent.name + path.stem))

    def all_records(self) -> list[str]:
        return sorted(_names(self.root / "records", "*.json", lambda path: path.stem))

    def set_aside(self, problem: Problem) -> None:
        """Move what is damaged out of the way; what is missing already is not there."""
        paths = {"object": self.path, "tree": self.tree_path, "record": self.record_path}
        target = self.damaged / f"{problem.kind}-{problem.name}-{secrets.token_hex(4)}"
        with suppress(FileNotFoundError):
            paths[problem.kind](problem.name).rename(target)

    def _settle(self, fresh: Path, path: Path) -> None:
        """Under its name in one step. A power cut may lose the name: that is an object missing, made again."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.replace(path)


def _names(folder: Path, pattern: str, name: Callable[[Path], str]) -> Iterator[str]:
    """Names that are digests; anything else in there is not ours."""
    for path in folder.glob(pattern):
        with suppress(ValueError):
            yield check_digest(name(path))

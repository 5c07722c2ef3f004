"""Worker code on its way into the jail: its folder and the libraries it names, so that it sees no more of dlpipe."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

_MAX_BYTES = 32 << 20


class Shelf:
    """Copies of the folders of worker files, below `folder`: `<name>-<digest>/<name>/`, libraries beside it.

    The name follows from the content, so it is the same on every machine: tools are known to write the path of the
    code that called them into their output.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def put(self, worker: Path, libraries: Sequence[Path] = ()) -> Path:
        """The copy of the file `worker`, its siblings beside it, and the libraries beside its folder.

        Raises ValueError for a folder of more than 32 MiB, and for libraries of the same name.
        """
        home = worker.resolve().parent
        with self._lock:
            files: dict[str, bytes] = {}
            for folder in (home, *(library.resolve() for library in libraries)):
                if any(name.startswith(f"{folder.name}/") for name in files):
                    raise ValueError(f"two libraries are called {folder.name}")
                files.update({f"{folder.name}/{name}": data for name, data in _files(folder, self.folder).items()})
            digest = hashlib.sha256()
            for name, content in files.items():
                digest.update(f"{name}\0{len(content)}\0".encode() + content)
            shelved = self.folder / f"{home.name}-{digest.hexdigest()[:16]}"
            if not shelved.is_dir():
                _copy(files, shelved)
        return shelved / home.name / worker.name


def _files(home: Path, without: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    total = 0
    for path in sorted(home.rglob("*")):
        if "__pycache__" in path.parts or path.is_symlink() or not path.is_file() or path.is_relative_to(without):
            continue
        total += path.stat().st_size
        if total > _MAX_BYTES:
            raise ValueError(f"{home} holds more than worker code: over {_MAX_BYTES >> 20} MiB")
        found[path.relative_to(home).as_posix()] = path.read_bytes()
    return found


def _copy(files: dict[str, bytes], shelved: Path) -> None:
    temporary = Path(tempfile.mkdtemp(dir=shelved.parent))
    try:
        for name, content in files.items():
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        temporary.chmod(0o755)
        temporary.rename(shelved)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise

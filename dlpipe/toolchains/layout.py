"""The folders of one worker, and where it sees them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dlpipe.contracts.call import Limits
from dlpipe.errors import ToolMissing
from dlpipe.toolchains.environment import Environment
from dlpipe.toolchains.gc import remove_tree
from dlpipe.toolchains.jail import Cell, JailKind, devices, system

_RUNTIME = Path(__file__).with_name("runtime")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_OPEN_FILES = 16384
# What every tool that writes dates takes them from: 1980-01-01, the first day that a zip archive can hold.
_EPOCH = "315532800"


class Layout:
    """Folders below `base`. In a jail with mounts of its own they stand at fixed paths below /dlpipe, the toolchain
    too, so that no path of this machine and no user's name can end up in an artefact."""

    def __init__(self, kind: JailKind, base: Path, kinds: Sequence[str] = ()) -> None:
        self.kind = kind
        self.base = base
        self.devices = tuple(kinds)  # of devices that the process may use
        self.inputs, self.outputs, self.taken = base / "in", base / "out", base / "taken"
        self.shims, self.settings, self.root, self.scratch = base / "shims", base / "etc", base / "root", base / "tmp"
        self._fixed = {self.inputs: "/dlpipe/in", self.outputs: "/dlpipe/out", self.shims: "/dlpipe/shims"}

    def make(self) -> None:
        self.base.mkdir(parents=True, mode=0o700)
        for folder in (self.inputs, self.outputs, self.taken, self.shims, self.root, self.scratch):
            folder.mkdir()

    def inside(self, path: Path) -> str:
        """The worker's name for a path below one of the folders that it sees."""
        if not self.kind.isolates:
            return str(path)
        for folder, name in self._fixed.items():
            if path.is_relative_to(folder):
                rest = path.relative_to(folder).as_posix()
                return name if rest == "." else f"{name}/{rest}"
        raise ValueError(f"{path} is not seen by the worker")

    def resource(self, name: str, root: Path) -> str:
        return f"/dlpipe/resources/{name}" if self.kind.isolates else str(root)

    def code(self, worker: Path) -> str:
        """Of a worker file on the shelf."""
        return "/dlpipe/code/" + "/".join(worker.parts[-3:]) if self.kind.isolates else str(worker)

    def place(self, label: str) -> tuple[Path, Path]:
        """Empty folders for inputs and outputs. ValueError for a label with other
        characters than letters, digits, dots, dashes and underlines."""
        if not _LABEL.fullmatch(label):
            raise ValueError(f"not a label: {label!r}")
        places = self.inputs / label, self.outputs / label, self.taken / label
        for folder in places:
            remove_tree(folder)
        for folder in places[:2]:
            folder.mkdir()
        return places[:2]

    def fresh_out(self, label: str) -> Path:
        """An empty folder for outputs under that label; the inputs stay."""
        remove_tree(self.outputs / label)
        remove_tree(self.taken / label)
        (self.outputs / label).mkdir()
        return self.outputs / label

    def take_out(self, label: str) -> Path:
        """Move finished outputs out of the worker's sight: it may live on, and nobody shall touch them any more."""
        return (self.outputs / label).rename(self.taken / label)

    def clear(self) -> None:
        """Remove every place."""
        for folder in (self.inputs, self.outputs, self.taken):
            for entry in folder.iterdir():
                remove_tree(entry)

    def cell(
        self,
        environment: Environment,
        resources: Mapping[str, Environment],
        code: Path,
        descriptor: int,
        limits: Limits,
    ) -> Cell:
        """The process: the worker runtime in the interpreter of `environment`, talking on `descriptor`."""
        assert environment.python is not None
        rlimits = {"core": 0, "fsize": limits.file_size, "nofile": _OPEN_FILES}
        tail = (str(descriptor), json.dumps(rlimits))
        shims = self.inside(self.shims)
        if not self.kind.isolates:
            python = environment.python
            argv = (str(python), str(_RUNTIME / "dlpipe_worker.py"), *tail)
            home = str(self.scratch)
            environ = _environ(home, shims, str(python.parent)) | devices.environment(self.devices)
            return Cell(argv, environ, descriptors=(descriptor,), working=home)
        root = f"/dlpipe/toolchains/{environment.name}"
        python_inside = f"{root}/{environment.python.relative_to(environment.root).as_posix()}"
        mounts, links = system.programs()
        mounts += system.stub_settings(self.settings)
        for held in (environment, *resources.values()):
            # At their own paths too: scripts and borrowed interpreters carry the path that they were installed under.
            mounts += [(_harmless(folder, self.base), str(folder)) for folder in held.visible]
        mounts += [(held.root, self.resource(name, held.root)) for name, held in resources.items()]
        mounts += [(environment.root, root), (_RUNTIME, "/dlpipe/runtime"), (code, "/dlpipe/code")]
        mounts += [(self.inputs, "/dlpipe/in"), (self.shims, "/dlpipe/shims")]
        return Cell(
            (python_inside, "/dlpipe/runtime/dlpipe_worker.py", *tail),
            _environ("/tmp", shims, python_inside.rpartition("/")[0])  # noqa: S108 - a tmpfs of the jail
            | devices.environment(self.devices),
            readonly=tuple(dict.fromkeys(mounts)),
            writable=((self.outputs, "/dlpipe/out"),),
            links=tuple(links),
            descriptors=(descriptor,),
            devices=devices.nodes(self.devices),
        )


def _harmless(folder: Path, base: Path) -> Path:
    if base.is_relative_to(folder) or Path.home().is_relative_to(folder):
        raise ToolMissing(
            f"a toolchain that lives in {folder} cannot be jailed: all of the home folder would be visible in there",
            hint="set DLPIPE_CACHE_DIR to a folder of its own, and use an interpreter in a folder of its own",
        )
    return folder


def _environ(home: str, shims: str, programs: str) -> dict[str, str]:
    return {
        "PATH": f"{shims}/bin:{programs}:/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "PYTHONPATH": f"{shims}/python",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "SOURCE_DATE_EPOCH": _EPOCH,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "ORT_DISABLE_TELEMETRY": "1",
        # By itself TensorFlow uses oneDNN on some processors only, and without it no NCHW convolution runs on a CPU.
        "TF_ENABLE_ONEDNN_OPTS": "1",
    }

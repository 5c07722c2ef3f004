"""The toolchains of one cache folder: their digests, and their environments, installed on first use."""

from __future__ import annotations

import errno
import os
import platform
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from dlpipe.contracts import json
from dlpipe.errors import ToolMissing, UserError
from dlpipe.toolchains import builds, gc
from dlpipe.toolchains.environment import Environment, read_complete, sync_folder, write_complete
from dlpipe.toolchains.install import installer
from dlpipe.toolchains.licences import Licences
from dlpipe.toolchains.locking import BusyError, exclusive
from dlpipe.toolchains.registry import Registry
from dlpipe.toolchains.spec import Spec

_LOOK_AGAIN_SECONDS = 0.2
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def default_cache_dir() -> Path:
    """`$DLPIPE_CACHE_DIR`, else the user's cache folder. Toolchains stand in `toolchains/` below it."""
    chosen = os.environ.get("DLPIPE_CACHE_DIR")
    return Path(chosen).expanduser().absolute() if chosen else user_cache_path("dlpipe")


def says_yes(variable: str) -> bool:
    """Whether an environment variable is set, and not to 0, false or no."""
    return os.environ.get(variable, "").strip().lower() not in ("", "0", "false", "no")


class Toolchains:
    """Environments below `root`, one folder `<name>-<digest>` each. Safe for many processes and threads at once.

    `on_event` gets a line of text whenever something is going on that takes long. With `offline=True` or
    DLPIPE_OFFLINE nothing is ever downloaded.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        offline: bool = False,
        on_event: Callable[[str], None] | None = None,
        registry: Registry | None = None,
    ) -> None:
        self.root = (root or default_cache_dir() / "toolchains").absolute()
        self.offline = offline or says_yes("DLPIPE_OFFLINE")
        self.registry = registry or Registry()
        self.licences = Licences(self.root.with_name("licences"))
        self._say = on_event or (lambda _line: None)
        self._digests: dict[str, str] = {}
        self._chosen: dict[str, Spec] = {}

    def names(self) -> list[str]:
        """Builds of another one are not among them: they stand behind its name."""
        return [name for name in self.registry.names() if self.registry.get(name).build_of is None]

    def spec(self, name: str) -> Spec:
        """Of the build that is taken here, where there are several."""
        if name not in self._chosen:
            spec = self.registry.get(name)
            if others := self.registry.builds(name):
                spec = builds.choose(spec, others, self._is_installed, offline=self.offline)
            self._chosen[name] = spec
        return self._chosen[name]

    def take_build(self, name: str, digest: str) -> None:
        """From now on, of the builds behind a name take the one of that digest; where none has it, all stays as it is.

        For a machine that computes for another one, whose keys name the build that was chosen there.
        """
        for spec in (self.registry.get(name), *self.registry.builds(name)):
            if spec.lock_path.is_file() and _digest(spec) == digest:
                self._chosen[name], self._digests[name] = spec, digest

    def devices(self, name: str) -> tuple[str, ...]:
        """Kinds of devices of this machine that its workers may use (see `jail/devices.py`)."""
        return tuple(self.spec(name).devices)

    def digest(self, name: str) -> str:
        """SHA-256 of what would be installed here; known before anything is. It is part of every stage's key."""
        if name not in self._digests:
            self._digests[name] = _digest(self.spec(name))
        return self._digests[name]

    def locked_versions(self, name: str) -> dict[str, str]:
        """Package -> version of the lock; nothing needs to be installed."""
        spec = self.spec(name)
        return installer(spec.kind).locked_versions(_read_lock(spec))

    def installed(self) -> list[Environment]:
        """Every whole environment below the root, those of older locks included."""
        if not self.root.is_dir():
            return []
        found = (read_complete(folder) for folder in sorted(self.root.iterdir()) if not folder.name.startswith("."))
        return [environment for environment in found if environment]

    def find(self, name: str) -> Environment | None:
        """The environment if it is installed and works; installs nothing."""
        environment = read_complete(self._folder(name))
        whole = environment is not None and environment.digest == self.digest(name) and environment.works()
        return environment if whole else None

    def _is_installed(self, spec: Spec) -> bool:
        """Of one build, before one is chosen."""
        if not spec.lock_path.is_file():
            return False
        environment = read_complete(self.root / _folder_name(spec.name, _digest(spec)))
        return environment is not None and environment.works()

    def ensure(self, name: str) -> Environment:
        """The environment, installed now if it is not there. Raises ToolMissing or UserError that say what to do."""
        return self.find(name) or self._install(self.spec(name))

    def unaccepted(self, name: str) -> Spec | None:
        """What stands for `name` here, where it is not installed and waits for the user's word on its licence."""
        spec = self.spec(name)
        return None if self.licences.accepted(spec) or self.find(name) else spec

    def gc(self) -> gc.Collected:
        """Remove environments of other digests than today's, and what killed installations left."""
        current = [name for name in self.names() if self.spec(name).lock_path.is_file()]
        return gc.collect(self.root, keep={self._folder(name).name for name in current})

    def lock(self, name: str) -> Path:
        """For maintainers: resolve again and write `toolchain.lock`."""
        spec = self.registry.get(name)
        text = installer(spec.kind).lock(spec, self._say)
        spec.lock_path.write_text(text, encoding="utf-8")
        self._digests.pop(name, None)
        return spec.lock_path

    def _folder(self, name: str) -> Path:
        return self.root / _folder_name(self.spec(name).name, self.digest(name))

    def _install(self, spec: Spec) -> Environment:
        self._permit(spec)
        folder = self._folder(spec.name)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            return self._build_or_await(spec, folder)
        except OSError as error:
            raise self._storage_error(spec, error) from error

    def _build_or_await(self, spec: Spec, folder: Path) -> Environment:
        """Looks again and again instead of waiting for the lock: whoever built it goes on to use it, and then holds
        the lock (shared) for as long as that worker lives."""
        told = False
        while True:
            with suppress(BusyError), exclusive(folder.with_name(folder.name + ".lock"), wait=False):
                return self.find(spec.name) or self._build(spec, folder)
            if not told:
                self._say(f"waiting for another dlpipe that installs {spec.name}")
                told = True
            time.sleep(_LOOK_AGAIN_SECONDS)
            found = self.find(spec.name)
            if found is not None:
                return found

    def _permit(self, spec: Spec) -> None:
        if self.offline:
            raise ToolMissing(
                f"the {spec.name} toolchain is not installed, and downloads are off (--offline or DLPIPE_OFFLINE)",
                hint=f"when online: dlpipe toolchain install {spec.name}",
                toolchain=spec.name,
            )
        if not self.licences.accepted(spec):
            raise self.licences.refusal(spec)

    def _build(self, spec: Spec, folder: Path) -> Environment:
        """Under the exclusive lock of `folder`: whoever holds it is the only builder, so what lies there is debris."""
        gc.remove_debris(folder)
        self._check_space(spec)
        size = f" ({spec.size_mb / 1000:.1f} GB)" if spec.size_mb and spec.size_mb >= 100 else ""
        self._say(f"installing the {spec.name} toolchain{size}")
        temporary = self.root / f".{folder.name}.tmp.{os.getpid()}.{secrets.token_hex(4)}"
        try:
            temporary.mkdir()
            made = installer(spec.kind).install(spec, _read_lock(spec), temporary, self._say)
            os.sync()  # the record below must not reach the disk before what it vouches for
            write_complete(temporary, spec.name, self.digest(spec.name), made.python, made.visible, made.versions)
            temporary.rename(folder)
            sync_folder(self.root)
        except BaseException:
            gc.remove_tree(temporary)
            raise
        environment = self.find(spec.name)
        if environment is None:
            raise ToolMissing(f"the {spec.name} toolchain does not work once installed", hint="dlpipe toolchain doctor")
        self._say(f"installed the {spec.name} toolchain")
        return environment

    def _check_space(self, spec: Spec) -> None:
        free = shutil.disk_usage(self.root).free
        if spec.size_mb and free < spec.size_mb * 1_000_000:
            raise self._full(spec, f"{spec.size_mb} MB are needed, {free // 1_000_000} MB are free")

    def _full(self, spec: Spec, detail: str) -> ToolMissing:
        return ToolMissing(
            f"no room to install the {spec.name} toolchain in {self.root}: {detail}",
            hint="free space there (`dlpipe toolchain gc` helps), or set DLPIPE_CACHE_DIR to a larger disk",
            toolchain=spec.name,
        )

    def _storage_error(self, spec: Spec, error: OSError) -> ToolMissing:
        if error.errno in _FULL:
            return self._full(spec, error.strerror or "the disk is full")
        return ToolMissing(
            f"the {spec.name} toolchain cannot be installed in {self.root}: {error.strerror or error}",
            hint="make that folder writable, or set DLPIPE_CACHE_DIR to one that is",
            toolchain=spec.name,
        )


def _folder_name(name: str, digest: str) -> str:
    return f"{name}-{digest[:16]}"


def _digest(spec: Spec) -> str:
    machine = None if not spec.runs_here else [platform.system(), platform.machine(), platform.libc_ver()[0]]
    return json.digest({"lock": _read_lock(spec), "spec": spec.what_matters(), "machine": machine})


def _read_lock(spec: Spec) -> str:
    with suppress(FileNotFoundError):
        return spec.lock_path.read_text(encoding="utf-8")
    raise UserError(f"the {spec.name} toolchain has no lock ({spec.lock_path})", hint="Toolchains.lock writes it")

"""Toolchains of kind "debian": locked Debian packages as a folder, of any architecture, without dpkg and without root.

`lock` asks apt (with a state of its own: the host's is not touched) for the exact set. `install` needs neither apt nor
dpkg: it downloads what the lock names, checks it and unpacks it. A line of the lock:

    <package> <version> <architecture> <size in bytes> <sha256> <path below the mirror's address>
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dlpipe.errors import ToolMissing, UserError
from dlpipe.toolchains.install import Installed, debian_mirror, debian_unpack
from dlpipe.toolchains.spec import Spec

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Package:
    """One line of a lock."""

    name: str
    version: str
    architecture: str
    size: int
    sha256: str
    path: str

    def line(self) -> str:
        return f"{self.name} {self.version} {self.architecture} {self.size} {self.sha256} {self.path}"


def read_lock(text: str) -> list[Package]:
    """The packages of a lock. Raises UserError when a line is not as `lock` writes it."""
    found = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        try:
            name, version, architecture, size, sha256, path = line.split()
            found.append(Package(name, version, architecture, int(size), sha256, path))
        except ValueError:
            raise UserError(f"the lock of Debian packages has a line that is none: {line!r}") from None
    return found


def locked_versions(lock: str) -> dict[str, str]:
    """Package -> version."""
    return {package.name: package.version for package in read_lock(lock)}


def install(spec: Spec, lock: str, folder: Path, say: Say) -> Installed:
    """Fill the empty `folder` with the packages that `lock` names: a root without its maintainer scripts run.

    Raises ToolMissing when no mirror has one of them as it was locked, or when it is damaged.
    """
    packages = read_lock(lock)
    mirrors = debian_mirror.mirrors()
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as downloads, ThreadPoolExecutor(4) as threads:
        coming = [threads.submit(_download, package, mirrors, Path(downloads)) for package in packages]
        try:
            for count, (package, download) in enumerate(zip(packages, coming, strict=True), start=1):
                say(f"{package.name} {package.version} ({package.size / 1e6:.1f} MB, {count} of {len(packages)})")
                debian_unpack.unpack(download.result(), folder, spec.keep, spec.drop)
        finally:
            threads.shutdown(cancel_futures=True)
    debian_unpack.link_merged(folder)
    for name, text in sorted(spec.files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Installed(versions=locked_versions(lock))


def _download(package: Package, mirrors: Sequence[str], folder: Path) -> Path:
    target = folder / Path(package.path).name
    problems = []
    title = f"{package.name} {package.version} ({package.architecture})"
    for mirror in mirrors:
        host = urllib.parse.urlsplit(mirror).hostname
        address = f"{mirror}/{urllib.parse.quote(package.path)}"
        try:
            size, sha256 = _fetch(address, target)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            problems.append(f"{host}: {getattr(error, 'reason', None) or error}")
            continue
        if (size, sha256) == (package.size, package.sha256):
            return target
        problems.append(f"{host}: {size} bytes of sha256 {sha256[:16]}..., not as locked")
    raise ToolMissing(
        f"Debian package {title} cannot be had: {'; '.join(problems)}",
        hint=f"mirrors drop old versions: set {debian_mirror.VARIABLE} to a snapshot archive that still has it,"
        " or check the network and the proxy settings",
        tool=package.name,
    )


def _fetch(address: str, target: Path) -> tuple[int, str]:
    """Download to a file; its size and sha256. Proxies and certificates as urllib finds them in the environment."""
    if not address.startswith(("http://", "https://")):
        raise ToolMissing(f"a Debian mirror is an http(s) address, not {address!r}")
    digest, size = hashlib.sha256(), 0
    with urllib.request.urlopen(address, timeout=120) as answer, target.open("wb") as out:  # noqa: S310 - the scheme is checked above
        while block := answer.read(1 << 20):
            out.write(block)
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def lock(spec: Spec, say: Say) -> str:
    """Resolve against the mirror as it is today. Needs apt and the suite's archive key on this machine."""
    assert spec.suite is not None  # every spec of this kind has both
    assert spec.architecture is not None
    mirror = debian_mirror.mirrors()[0]
    with tempfile.TemporaryDirectory(prefix="dlpipe-apt-") as folder:
        apt = _Apt(Path(folder), f"deb {mirror} {spec.suite} main", spec.architecture)
        say(f"reading the package lists of {spec.suite}")
        apt.run("update")
        listing = apt.run("install", "--yes", "--print-uris", *spec.packages)
    packages = [package for package in _printed(listing, mirror) if package.name not in spec.omit]
    head = f"# {spec.suite} {spec.architecture}: {' '.join(spec.packages)}"
    return "\n".join([head, *(package.line() for package in sorted(packages, key=lambda p: p.name))]) + "\n"


class _Apt:
    """apt-get with its own empty state, for any architecture."""

    def __init__(self, folder: Path, source: str, architecture: str) -> None:
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(source + "\n")
        options = {
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "",
            "Acquire::ForceHash": "sha256",
            "Acquire::Languages": "none",
            "Debug::NoLocking": "true",
            "Dir::Cache": folder / "cache",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State": folder,
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
        }
        self._command = [
            "apt-get",
            "-q",
            *(part for key, value in options.items() for part in ("-o", f"{key}={value}")),
        ]

    def run(self, *arguments: str) -> str:
        try:
            done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, timeout=600)
        except FileNotFoundError:
            raise ToolMissing("locking Debian packages needs apt", hint="do it on a Debian or Ubuntu machine") from None
        if done.returncode:
            raise ToolMissing(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-2000:]}", tool="apt-get")
        return done.stdout


def _printed(listing: str, mirror: str) -> list[Package]:
    """Parse `apt-get --print-uris`: 'URI' file size SHA256:digest, the file being name_version_architecture.deb."""
    found = []
    for uri, file, size, sha256 in re.findall(r"(?m)^'([^']+)' (\S+)\.deb (\d+) SHA256:([0-9a-f]{64})$", listing):
        name, version, architecture = (urllib.parse.unquote(part) for part in file.split("_"))
        path = urllib.parse.unquote(uri.removeprefix(mirror).lstrip("/"))
        found.append(Package(name, version, architecture, int(size), sha256, path))
    return found

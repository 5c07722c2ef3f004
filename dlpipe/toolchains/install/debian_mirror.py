"""Where this machine gets Debian packages from. No address is written into dlpipe: the machine's own sources say it.

In order: `DLPIPE_DEBIAN_MIRROR`, the Debian archives among the machine's apt sources, and (on Ubuntu and others) the
mirror that debootstrap names.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dlpipe.errors import ToolMissing
from dlpipe.toolchains.install import debian_unpack

VARIABLE = "DLPIPE_DEBIAN_MIRROR"
_SUITES = {"oldoldstable", "oldstable", "stable", "testing", "unstable", "sid"}
_SUITES |= {"buster", "bullseye", "bookworm", "trixie", "forky", "duke"}


def mirrors(root: Path = Path("/")) -> list[str]:
    """Base addresses (each has `dists/` and `pool/` below), best first. Raises ToolMissing when none is known."""
    if named := os.environ.get(VARIABLE):
        return [named.rstrip("/")]
    found = list(dict.fromkeys(_from_apt(root / "etc/apt")))
    if not found:
        found = _from_debootstrap(root)
    if not found:
        raise ToolMissing(
            "no Debian mirror is known on this machine",
            hint=f"set {VARIABLE} to the base address of a Debian mirror, or install debootstrap, which names one",
        )
    return found


def _from_apt(apt: Path) -> Iterator[str]:
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if path.suffix == ".list" and path.is_file():
            entries = _one_line(path.read_text(errors="replace"))
        elif path.suffix == ".sources":
            entries = _deb822(path.read_text(errors="replace"))
        else:
            continue
        for uri, suite, components in entries:
            if suite in _SUITES and "main" in components:
                yield from _plain(uri, apt)


def _plain(uri: str, apt: Path) -> Iterator[str]:
    """HTTP(S) addresses; cloud images name a file that lists them (`mirror+file:/etc/apt/mirrors/debian.list`)."""
    if uri.startswith(("http://", "https://")):
        yield uri.rstrip("/")
    elif uri.startswith("mirror+file:"):
        listed = apt / "mirrors" / Path(uri.removeprefix("mirror+file:")).name
        if listed.is_file():
            for line in listed.read_text(errors="replace").splitlines():
                if line.startswith("http"):
                    yield line.split()[0].rstrip("/")


def _one_line(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """`deb [option=value ...] uri suite component...`, as sources.list(5) describes it."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if match:
            yield match[1], match[2], match[3].split()


def _deb822(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Stanzas of `Types: URIs: Suites: Components:`, as sources.list(5) describes them."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", kept):
        fields = dict(re.findall(r"(?m)^([A-Za-z-]+):[ \t]*((?:.*)(?:\n[ \t]+.*)*)", stanza))
        lowered = {key.lower(): value.split() for key, value in fields.items()}
        if "deb" not in lowered.get("types", []) or lowered.get("enabled", ["yes"])[:1] == ["no"]:
            continue
        for uri in lowered.get("uris", []):
            for suite in lowered.get("suites", []):
                yield uri, suite, lowered.get("components", [])


def _from_debootstrap(root: Path) -> list[str]:
    """The mirror that debootstrap names for Debian; its package is fetched (not installed) where it is not there."""
    if found := _named_by_debootstrap(root):
        return found
    with tempfile.TemporaryDirectory(prefix="dlpipe-debootstrap-") as folder:
        own = [f"-oDir::State::lists={folder}/lists", f"-oDir::Cache={folder}/cache", "-oAPT::Sandbox::User="]
        Path(folder, "lists/partial").mkdir(parents=True)
        Path(folder, "cache/archives/partial").mkdir(parents=True)
        try:
            for words in (["update"], ["download", "debootstrap"]):
                command = ["apt-get", "-qq", *own, *words]
                subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError):
            return []
        for package in Path(folder).glob("*.deb"):
            debian_unpack.unpack(package, Path(folder), keep=("usr/*sbin/debootstrap", "usr/share/debootstrap/*"))
        return _named_by_debootstrap(Path(folder))


def _named_by_debootstrap(root: Path) -> list[str]:
    """`default_mirror` of its script for Debian (Ubuntu's package has one), else the program's own default."""
    found = []
    for name, pattern in (
        ("usr/share/debootstrap/scripts/sid", r"(?m)^\s*default_mirror\s+(https?://\S+?)/?\s*$"),
        ("usr/sbin/debootstrap", r"(?m)^\s*DEF_(?:HTTPS_)?MIRROR=[\"']?(https?://[^\s\"']+?)/?[\"']?\s*$"),
    ):
        if (root / name).is_file():
            found += re.findall(pattern, (root / name).read_text(errors="replace"))
    return [address for address in found if address.endswith("/debian")]

"""A tool that comes in several builds: which of them is taken here.

A build is a toolchain of its own (`build_of = "pytorch"`), preferred to the plain one where the user's pip or uv
settings lead to just the files that its lock names. The choice is made before anything is installed, since a stage's
key needs the digest, and what is installed already decides it: it needs no network.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from dlpipe.errors import DlpipeError
from dlpipe.toolchains.install.run import run_uv
from dlpipe.toolchains.settings import uv_environment
from dlpipe.toolchains.spec import Spec

_BLOCK = re.compile(r"^\S+==\S+(?:.*\\\n)*.*", re.MULTILINE)
_HASH = re.compile(r"--hash=(\S+)")


def choose(plain: Spec, builds: Iterable[Spec], installed: Callable[[Spec], bool], *, offline: bool) -> Spec:
    """The build to take, or `plain`."""
    builds = sorted(builds, key=lambda spec: spec.name)
    for spec in (*builds, plain):
        if installed(spec):
            return spec
    return next((spec for spec in builds if _offered(spec, offline)), plain)


def _offered(spec: Spec, offline: bool) -> bool:
    """Whether every package that is in no public index (its version has a local part: 2.13.0+cpu) can be had here."""
    special = [pin for pin in (*spec.requirements, *spec.no_deps) if "+" in pin.partition("==")[2]]
    if not special or not spec.lock_path.is_file():
        return False
    locked = _hashes(spec.lock_path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="dlpipe-build-") as scratch:
        wanted, made = Path(scratch, "wanted.in"), Path(scratch, "wanted.lock")
        wanted.write_text("\n".join(special) + "\n", encoding="utf-8")
        what = ["pip", "compile", "--quiet", "--no-deps", "--generate-hashes", "--no-header", "--no-annotate"]
        where = ["--python-version", str(spec.python), "--output-file", str(made), str(wanted)]
        try:
            run_uv(
                [*what, *(["--offline"] if offline else []), *where],
                what=f"looking for {spec.name}",
                say=_silent,
                environ=uv_environment(),
            )
        except DlpipeError:  # there is none, or no index can be reached
            return False
        found = _hashes(made.read_text(encoding="utf-8"))
    # A wheel in a folder is not hashed for this; the installation is, and refuses another file than the locked one.
    return bool(found) and all(pin in locked and (not hashes or hashes & locked[pin]) for pin, hashes in found.items())


def _hashes(lock: str) -> dict[str, set[str]]:
    """`name==version` -> hashes of its files."""
    blocks = (match[0] for match in _BLOCK.finditer(lock))
    return {block.split()[0]: set(_HASH.findall(block)) for block in blocks}


def _silent(line: str) -> None:
    del line

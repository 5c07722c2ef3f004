"""Python toolchains: a virtual environment, or a folder of wheels for a foreign platform (in `site/`)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import distributions
from pathlib import Path

from dlpipe.errors import ToolMissing, UserError
from dlpipe.toolchains.install import Installed
from dlpipe.toolchains.install.interpreters import as_tuple, find_interpreter
from dlpipe.toolchains.install.run import run, run_uv
from dlpipe.toolchains.settings import uv_environment
from dlpipe.toolchains.spec import Spec, normalised

Say = Callable[[str], None]

UV_SERVES_FROM = (3, 8)  # for older interpreters: their own venv and pip
_UNKNOWN_TO_UV = ("armv7l-",)  # how platforms begin that uv has no name for: pip takes any
_LOCKED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;*]+)$")


def install(spec: Spec, lock: str, folder: Path, say: Say) -> Installed:
    """See `Installer`. Byte code is compiled now: workers see the folder read-only and would compile on every start."""
    versions = locked_versions(lock)
    _check_fresh(spec, versions)
    python = find_interpreter(_version(spec), say)
    with tempfile.TemporaryDirectory(prefix="dlpipe-lock-") as scratch:
        locked = Path(scratch, "toolchain.lock")
        locked.write_text(lock, encoding="utf-8")
        if spec.platform:
            site = folder / "site"
            site.mkdir()
            if spec.platform.startswith(_UNKNOWN_TO_UV):
                _fill_foreign_with_pip(spec, locked, site, python, say)
            else:
                foreign = ["--target", str(site), "--python-platform", spec.platform, "--only-binary", ":all:"]
                _fill(spec, versions, locked, ["--python", str(python), *foreign], say)
            _verify(spec, versions, folder)
            return Installed(versions)
        if as_tuple(_version(spec)) < UV_SERVES_FROM:
            _fill_with_pip(spec, lock, locked, folder, python, say)
        else:
            what = f"making the {spec.name} toolchain"
            run_uv(
                ["venv", "--relocatable", "--no-project", "--allow-existing", "--python", str(python), str(folder)],
                what=what,
                say=say,
            )
            _fill(spec, versions, locked, ["--python", str(folder / "bin" / "python")], say)
    _verify(spec, versions, folder)
    _prepare(spec, folder, say)
    return Installed(versions, "bin/python", _borrowed(folder / "bin" / "python"))


def lock(spec: Spec, say: Say) -> str:
    """See `Installer`. Resolved for Linux on x86-64 (or the foreign platform), whatever machine this is."""
    blocks = []
    known = spec.platform and not spec.platform.startswith(_UNKNOWN_TO_UV)
    platform = (
        spec.platform if spec.platform and known else spec.resolved_for or "linux"
    )  # the hashes are those of all platforms' wheels
    for requirements, extra in ((spec.requirements, []), (spec.no_deps, ["--no-deps"])):
        if not requirements:
            continue
        with tempfile.TemporaryDirectory(prefix="dlpipe-lock-") as scratch:
            wanted, made = Path(scratch, "requirements.in"), Path(scratch, "requirements.lock")
            wanted.write_text("\n".join(requirements) + "\n", encoding="utf-8")
            shape = ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
            where = ["--python-version", _version(spec), "--python-platform", platform, "--output-file", str(made)]
            if known:
                where += ["--only-binary", ":all:"]
            arguments = ["pip", "compile", *shape, *where, *extra, str(wanted)]
            # A build with a local version (2.13.0+cpu) is in no public index: its wheel comes from further places.
            special = any("+" in pin.partition("==")[2] for pin in requirements)
            environ = uv_environment(further_places=special)
            run_uv(arguments, what=f"resolving the {spec.name} toolchain", say=say, environ=environ)
            blocks.append(made.read_text(encoding="utf-8"))
    text = "".join(blocks) or "# this toolchain is the bare interpreter\n"
    if "://" in text:
        raise UserError(f"the lock of {spec.name} would name an address: requirements must come from an index")
    locked_versions(text)
    return text


def locked_versions(lock: str) -> dict[str, str]:
    """See `Installer`. Names are normalised (PEP 503)."""
    versions: dict[str, str] = {}
    for number, line in enumerate(lock.splitlines(), 1):
        if not line.strip() or line.startswith(("#", " ")):
            continue
        found = _LOCKED.match(line)
        if not found:
            raise UserError(f"line {number} of the lock is not of the form name==version: {line[:80]!r}")
        name, version = normalised(found[1]), found[2]
        if versions.get(name, version) != version:
            raise UserError(f"the lock names {name} twice: {versions[name]} and {version}")
        versions[name] = version
    return versions


def _version(spec: Spec) -> str:
    assert spec.python is not None  # the spec's own validator saw to it
    return spec.python


def _check_fresh(spec: Spec, versions: Mapping[str, str]) -> None:
    """A pin that was changed without locking again must not be overlooked."""
    for requirement in (*spec.requirements, *spec.no_deps):
        pin = _PINNED.match(requirement.replace(" ", ""))
        if pin and versions.get(normalised(pin[1])) != pin[2]:
            raise UserError(
                f"the lock of the {spec.name} toolchain does not hold {requirement}: it is older than {spec.source}",
                hint=f"lock it again: Toolchains().lock({spec.name!r})",
            )


def _fill(spec: Spec, versions: Mapping[str, str], locked: Path, where: list[str], say: Say) -> None:
    if not versions:
        return
    # --no-deps: the lock is complete, and some packages ask for far more than they use
    how = ["--require-hashes", "--no-deps", "--compile-bytecode", "--requirements", str(locked)]
    run_uv(["pip", "install", *where, *how], what=f"installing the {spec.name} toolchain", say=say)


def _fill_with_pip(spec: Spec, lock: str, locked: Path, folder: Path, python: Path, say: Say) -> None:
    """With the interpreter's own venv and pip. Where the lock names a pip, that one comes first and does the rest."""
    what = f"installing the {spec.name} toolchain"
    environ = {**uv_environment(), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0"}
    run([str(python), "-I", "-m", "venv", str(folder)], environ, what=what, say=say)
    inside = str(folder / "bin" / "python")
    pip = [inside, "-m", "pip", "install", "--require-hashes", "--no-deps", "--requirement"]
    newer = re.search(r"^pip==.*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL)
    if newer:
        first = locked.with_name("pip.lock")
        first.write_text(newer[0], encoding="utf-8")
        run([*pip, str(first)], environ, what=what, say=say)
    if locked_versions(lock):
        run([*pip, str(locked)], environ, what=what, say=say)
    for script in (folder / "bin").iterdir():  # they name the folder by its temporary path; `python -m` does the same
        if not script.is_symlink() and str(folder).encode() in script.read_bytes():
            script.unlink()


def _fill_foreign_with_pip(spec: Spec, locked: Path, site: Path, python: Path, say: Say) -> None:
    """`spec.platform` is the processor and the C library as in a wheel's name: armv7l-manylinux_2_31."""
    assert spec.platform is not None
    processor, _, library = spec.platform.partition("-")
    environ = {**uv_environment(), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0"}
    what = f"installing the {spec.name} toolchain"
    with tempfile.TemporaryDirectory(prefix="dlpipe-pip-") as scratch:
        run([str(python), "-I", "-m", "venv", scratch], environ, what=what, say=say)
        kind = ["--platform", f"{library}_{processor}", "--only-binary", ":all:", "--target", str(site)]
        how = ["--no-deps", "--require-hashes", "--requirement", str(locked)]
        run([f"{scratch}/bin/python", "-m", "pip", "install", *kind, *how], environ, what=what, say=say)


def differences(spec: Spec, versions: Mapping[str, str], folder: Path) -> dict[str, tuple[str, str | None]]:
    """Package -> (version that should be there, version that is there) for those that differ."""
    site = folder / "site" if spec.platform else folder / "lib" / f"python{spec.python}" / "site-packages"
    present = {normalised(item.metadata["Name"]): item.version for item in distributions(path=[str(site)])}
    return {name: (locked, present.get(name)) for name, locked in versions.items() if present.get(name) != locked}


def _verify(spec: Spec, versions: Mapping[str, str], folder: Path) -> None:
    for name, (locked, found) in differences(spec, versions, folder).items():
        raise ToolMissing(
            f"the {spec.name} toolchain got {name} {found or 'not at all'}, but {locked} is locked",
            hint="report it: the lock cannot be installed as it stands",
        )


def _prepare(spec: Spec, folder: Path, say: Say) -> None:
    """Let the toolchain's own script make, once and for all, what its tools would make again in every run.

    It is given the folder `prepared` of the environment to write to, and then the arguments that the .toml names.
    """
    if not spec.prepare:
        return
    script, *arguments = spec.prepare
    made = folder / "prepared"
    made.mkdir()
    say(f"preparing the {spec.name} toolchain")
    with tempfile.TemporaryDirectory(prefix="dlpipe-prepare-") as scratch:
        environ = {"PATH": os.defpath, "HOME": scratch, "TMPDIR": scratch, "LANG": "C.UTF-8"}
        command = [str(folder / "bin" / "python"), "-I", str(spec.source.with_name(script)), str(made), *arguments]
        run(command, environ, what=f"preparing the {spec.name} toolchain", say=say)


def _borrowed(python: Path) -> tuple[str, ...]:
    """The folders of the interpreter that the virtual environment links to, by every name that leads there."""
    script = "import json, sys; print(json.dumps([sys.base_prefix, sys.base_exec_prefix]))"
    found = subprocess.run([python, "-I", "-c", script], capture_output=True, text=True, check=False)
    if found.returncode:
        raise ToolMissing(f"the interpreter does not start: {found.stderr.strip()[-400:]}", hint="reinstall Python")
    folders = [Path(folder) for folder in json.loads(found.stdout)]
    link = python
    while link.is_symlink():
        link = link.parent / link.readlink()
        if link.parent != python.parent:
            folders.append(link.parent.parent)
    names = dict.fromkeys(str(name) for folder in folders for name in (folder, folder.resolve()))
    return tuple(names)

"""Does an installed toolchain still work, and does the machine have what it needs?"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal

from dlpipe.toolchains.environment import Environment
from dlpipe.toolchains.gc import disk_size
from dlpipe.toolchains.install.python import differences
from dlpipe.toolchains.manager import Toolchains
from dlpipe.toolchains.spec import Spec

MACHINE_NEEDS: Mapping[str, str] = {"bwrap": "bubblewrap"}  # what every worker's jail is made with
_AT_ONCE = 4  # frameworks that are imported: each may take a gigabyte


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`state` of a toolchain; `problems` are sentences with the remedy. `size`: bytes on disk, None where it was not
    looked at thoroughly.

    "absent" is no fault: a toolchain is installed on first use.
    """

    name: str
    state: Literal["ok", "absent", "broken"]
    problems: tuple[str, ...] = ()
    size: int | None = None
    python: str | None = None


def diagnose(toolchains: Toolchains, names: Iterable[str] = (), *, thorough: bool) -> Iterator[Diagnosis]:
    """Look at the toolchains of these names (all where none is given), a few at once. Installs and changes nothing.

    Always: whether the interpreter starts, and whether the packages are those of the lock. `thorough`: import what it
    holds, and add up its files, which takes minutes for all of them."""
    with ThreadPoolExecutor(min(_AT_ONCE, len(os.sched_getaffinity(0)))) as pool:
        yield from pool.map(partial(_diagnose, toolchains, thorough=thorough), list(names) or toolchains.names())


def missing_programs(needs: Mapping[str, str]) -> list[str]:
    """A sentence for each program (key) that is not on PATH, with the command that installs its package (value)."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return [
        f"the program {program} is missing: {sudo}apt-get install {package}"
        for program, package in sorted(needs.items())
        if shutil.which(program) is None
    ]


def _diagnose(toolchains: Toolchains, name: str, *, thorough: bool) -> Diagnosis:
    spec = toolchains.spec(name)
    problems = missing_programs(spec.apt)
    environment = toolchains.find(name)
    if environment is None:
        if not toolchains.licences.accepted(spec):
            problems.append(toolchains.licences.refusal(spec).message)
        return Diagnosis(name, "absent", tuple(problems))
    if dict(environment.versions) != toolchains.locked_versions(name):
        problems.append(f"its record does not match the lock: {_reinstall(environment)}")
    version = None
    if spec.kind == "python":
        problems += [f"{fault}: {_reinstall(environment)}" for fault in _package_faults(spec, environment)]
    if environment.python:
        version, faults = _interpreter_faults(environment, spec.imports if thorough else ())
        problems += [f"{fault}: {_reinstall(environment)}" for fault in faults]
    state: Literal["ok", "broken"] = "broken" if problems else "ok"
    return Diagnosis(name, state, tuple(problems), disk_size(environment.root) if thorough else None, version)


def _reinstall(environment: Environment) -> str:
    return f"remove {environment.root}, and it is installed again on next use"


def _package_faults(spec: Spec, environment: Environment) -> list[str]:
    return [
        f"{package} is {found or 'gone'}, not {locked} as locked"
        for package, (locked, found) in differences(spec, environment.versions, environment.root).items()
    ]


def _interpreter_faults(environment: Environment, modules: Iterable[str]) -> tuple[str | None, list[str]]:
    """Its version, and what does not work: starting it, and importing each of the modules."""
    status, said = _python(environment, "import sys; print('%d.%d.%d' % sys.version_info[:3])")
    if status:
        return None, [f"its interpreter does not start ({said})"]
    version, faults = said, []
    for module in modules:
        status, said = _python(environment, f"import {module}")
        if status:
            faults.append(f"{module} cannot be imported ({said})")
    return version, faults


def _python(environment: Environment, script: str) -> tuple[int, str]:
    """Exit status and last line of a script in the environment, without anything of the user's own environment."""
    with tempfile.TemporaryDirectory(prefix="dlpipe-doctor-") as home:
        try:
            done = subprocess.run(
                [str(environment.python), "-I", "-B", "-c", script],
                env={"HOME": home, "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                timeout=300,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return 1, str(error)
    lines = done.stdout.strip().splitlines()
    return done.returncode, lines[-1] if lines else f"status {done.returncode}"

"""Reads the machine code of an artefact. Runs in the machinecode toolchain."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request, operation

from . import elf, grouped, x86

_READERS: dict[str, tuple[str, Callable[[int, bytes], Iterator[tuple[int, str]]]]] = {
    "x86_64": (x86.TOOL, x86.extensions),
    "aarch64": (grouped.TOOL, grouped.extensions_a64),
    "armv7l": (grouped.TOOL, grouped.extensions_a32),
    "riscv64": (grouped.TOOL, grouped.extensions_rv64),
}
_THUMB = grouped.TOOL, grouped.extensions_t32


@operation
def isa(request: Request) -> object:
    """artifact -> the extensions that its own code needs. params: files (patterns), arch, target, allowed (extensions
    that the target has, or None where its processor is not the one that the code is for)."""
    params = request.params
    root = Path(request.inputs["artifact"])
    paths = sorted({path for pattern in params["files"] for path in root.glob(pattern) if path.is_file()})
    found: dict[str, dict[str, Any]] = {}
    tools = set()
    for path in paths:
        for code in elf.codes(path, path.relative_to(root).as_posix()):
            if params["allowed"] is not None and code.machine != params["arch"]:
                raise Refused(f"{code.name} is code for {code.machine}, not for {params['arch']}", kind="unsupported")
            tool, extensions = _THUMB if code.thumb else _READERS[code.machine]
            tools.add(tool)
            found[code.name] = _count(code, extensions)
            if params["allowed"] is not None:
                _hold(code.name, found[code.name], params)
    if not found:
        raise Refused(f"there is no machine code in {', '.join(params['files'])}", kind="unsupported")
    return {
        "tool": ", ".join(sorted(tools)),
        "isa": sorted({name for each in found.values() for name in each}),
        "files": found,
    }


def _count(code: elf.Code, extensions: Callable[[int, bytes], Iterator[tuple[int, str]]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for address, content in code.sections:
        for place, name in extensions(address, content):
            if name not in found:
                found[name] = {"count": 0, "first": code.where(place)}
            found[name]["count"] += 1
    return dict(sorted(found.items()))


def _hold(file: str, found: dict[str, Any], params: dict[str, Any]) -> None:
    for name in sorted(set(found) - set(params["allowed"])):
        count, first = found[name]["count"], found[name]["first"]
        raise Refused(
            f"{file} would die with SIGILL on {params['target']}: {count} of its instructions need {name}, which that"
            f" target does not have; the first is at {first}",
            kind="unsupported",
            op=name,
            hint=f"compile for the target's own instruction set, or add {name} to the target's isa if it has it",
        )

"""A folder from which anyone can run a failed call again: `python -m dlpipe.toolchains.bundle FOLDER`."""

from __future__ import annotations

import dataclasses
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, Limits
from dlpipe.errors import BadModel, DlpipeError
from dlpipe.toolchains.manager import Toolchains
from dlpipe.toolchains.outputs import digests_below, size_below
from dlpipe.toolchains.pool import WorkerPool

_MAX_INPUTS = 256 << 20
_PACKAGE = Path(__file__).parents[1]  # the folder of dlpipe itself
_README = """# A call that failed in dlpipe

    python -m dlpipe.toolchains.bundle {folder}

runs it again, in the same jail. `request.json` says what was asked, of which toolchain, and what came of it; `log.txt`
is what the tool said. {inputs}
"""


def write_bundle(
    folder: Path, call: Call, inputs: Mapping[str, Path], error: DlpipeError, log: Path | None = None
) -> Path:
    """Write a reproduction bundle into `folder` (made, must not exist) and note it in `error.where`.

    `inputs` are the folders that the call was given. Up to 256 MiB in all they are copied; above, only their digests
    are kept: {input: {file: sha256}}. The worker's code is copied unless it is dlpipe's own.
    """
    folder.mkdir(parents=True)
    whole = sum(size_below(path) for path in inputs.values()) <= _MAX_INPUTS
    if whole:
        for name, path in inputs.items():
            shutil.copytree(path, folder / "inputs" / name, symlinks=True)
    if log is not None and log.is_file():
        shutil.copyfile(log, folder / "log.txt")
    request = {
        "dlpipe": version("dlpipe"),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "call": {
            **dataclasses.asdict(call),
            "worker": _code(folder, call.worker),
            "libraries": [_code(folder, library) for library in call.libraries],
        },
        "inputs": {name: digests_below(path) for name, path in sorted(inputs.items())},
        "inputs_included": whole,
        "error": error.as_dict(),
    }
    (folder / "request.json").write_text(json.dumps(request, indent=1, default=str) + "\n", encoding="utf-8")
    said = "The inputs are in `inputs/`." if whole else "The inputs are too large to include: put them into `inputs/`."
    (folder / "README.md").write_text(_README.format(folder=folder.name, inputs=said), encoding="utf-8")
    error.where["bundle"] = str(folder)
    return folder


def replay(folder: Path) -> Any:
    """Run the call of a bundle again; outputs go to `out/` in it. Returns the operation's value, or raises as it did.

    BadModel if the folder is no bundle, or its inputs are missing or have changed.
    """
    try:
        request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
        described = request["call"]
        call = Call(
            toolchain=described["toolchain"],
            worker=_place(folder, described["worker"]),
            operation=described["operation"],
            params=described["params"],
            resources=tuple(described["resources"]),
            stage_class=described["stage_class"],
            limits=Limits(**described["limits"]),
            libraries=tuple(_place(folder, library) for library in described["libraries"]),
        )
        expected = dict(request["inputs"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadModel(f"{folder} is not a reproduction bundle: {error}") from error
    inputs = {name: folder / "inputs" / name for name in expected}
    for name, path in inputs.items():
        if not path.is_dir() or digests_below(path) != expected[name]:
            raise BadModel(f"the input {name} of this bundle is missing or has changed: {path}")
    shutil.rmtree(folder / "out", ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(prefix="dlpipe-replay-") as session,
        WorkerPool(Toolchains(), Path(session) / "work", keep_logs=folder / "logs") as pool,
    ):
        return pool.run(call, inputs, folder / "out", lambda event: _show(dict(event)), folder / "log.txt")


def _code(folder: Path, path: Path) -> dict[str, str]:
    """Where a worker file, or the folder of a library, is found again: other people's code is copied."""
    if path.is_relative_to(_PACKAGE):
        return {"of": "dlpipe", "path": path.relative_to(_PACKAGE).as_posix()}
    room = path if path.is_dir() else path.parent
    copy = folder / "code" / room.name
    if not copy.exists():
        shutil.copytree(room, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return {"of": "bundle", "path": (copy / path.relative_to(room)).relative_to(folder).as_posix()}


def _place(folder: Path, code: Mapping[str, str]) -> Path:
    return (_PACKAGE if code["of"] == "dlpipe" else folder) / code["path"]


def _show(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=1) + "\n")


def _main() -> int:
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m dlpipe.toolchains.bundle FOLDER\n")
        return 2
    try:
        _show(replay(Path(sys.argv[1])))
    except DlpipeError as error:
        _show(error.as_dict())
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(_main())

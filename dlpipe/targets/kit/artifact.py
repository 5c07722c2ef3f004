"""What every artefact's folder holds beside the deployable files: run.json, how to call it, and licences."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from dlpipe_worker import Request

_LICENCES = re.compile(r"^(LICEN[CS]E|NOTICE|COPYING)", re.IGNORECASE)


def contract(request: Request) -> Any:
    """The I/O contract of the IR that the call was given."""
    return json.loads(Path(request.inputs["ir"], "contract.json").read_text(encoding="utf-8"))


def describe(
    request: Request,
    backend: str,
    runtime: tuple[str, str],
    entry: str,
    ports: tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]],
    **more: Any,
) -> dict[str, Any]:
    """Write run.json, which says how the artefact is called. `runtime`: name and version; `entry`: the file to load;
    `ports`: the inputs and outputs of the contract, with what the backend adds to each. Returns what was written."""
    description = {
        "backend": backend,
        "target": request.params["target"],
        "variant": request.params["variant"],
        "runtime": {"name": runtime[0], "version": runtime[1]},
        "entry": entry,
        "inputs": list(ports[0]),
        "outputs": list(ports[1]),
        **more,
    }
    text = json.dumps(description, indent=2, sort_keys=True) + "\n"
    Path(request.out, "run.json").write_text(text, encoding="utf-8")
    return description


def sample_program(request: Request, source: Path, name: str = "run.py") -> None:
    """The minimal program that calls the artefact, into its folder."""
    shutil.copyfile(source, Path(request.out, name))


def licences(request: Request, *packages: str) -> None:
    """The licence texts of installed Python packages, into LICENSES/; of one that brings none, what it says it is."""
    folder = Path(request.out, "LICENSES")
    folder.mkdir(exist_ok=True)
    for package in packages:
        installed = distribution(package)
        texts = [file for file in installed.files or () if _LICENCES.match(file.name)]
        for file in texts:
            shutil.copyfile(str(file.locate()), folder / f"{package}-{file.name.removesuffix('.txt')}.txt")
        if not texts:
            licence = _said(installed.metadata, "License-Expression", "License", "Classifier")
            where = _said(installed.metadata, "Home-page", "Project-URL")
            text = f"{package} {installed.version}\nLicence: {licence}\n{where}\nIts package brings no text of it.\n"
            (folder / f"{package}.txt").write_text(text, encoding="utf-8")


def _said(metadata: Any, *fields: str) -> str:
    """The first of these fields; of the classifiers, the first that names a licence."""
    found = [value for field in fields for value in metadata.get_all(field) or ()]
    named = [value for value in found if "::" not in value or value.startswith("License ::")]
    return str((named or ["not named"])[0])

"""Anything that can be executed: an original in its framework, an ONNX model, or an artefact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dlpipe.contracts.backend import Backend, Target
from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported, UserError
from dlpipe.ir.contract import Contract
from dlpipe.measure.tolerances import tolerance_of
from dlpipe.package.contents import DOCUMENTS, before_encryption
from dlpipe.pipeline import boards
from dlpipe.pipeline.chained import Link
from dlpipe.pipeline.imported import import_model
from dlpipe.pipeline.output import MANIFEST
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.store import File, Tree, hash_file
from dlpipe.targets.registry import backend
from dlpipe.targets.registry import target as find_target

RUN_FILE = "run.json"


@dataclass(frozen=True, slots=True)
class Runnable:
    """`run` and `time` read the folders of `inputs` (name -> `tree:<digest>`) and `samples` beside them.

    `feeds` is the folder of the IR or artefact whose contract says what the model takes (`tree:<digest>`).
    """

    spec: str
    contract: Contract
    feeds: str
    run: Call | None
    time: Call | None
    inputs: Mapping[str, str]
    frontend: Frontend | None = None
    sniffed: Sniffed | None = None
    source: str | None = None
    layers: Call | None = None  # of an original: what each of its layers gives
    variant: str = "fp32"
    tool: Backend | None = None  # of an artefact, and the target it was compiled for
    target: Target | None = None
    chain: tuple[Link, ...] = ()  # of an artefact in parts, in place of `run` and `time`
    folders: tuple[Path, ...] = ()  # where each of these parts lies, an artefact of its own


def load(session: Session, spec: str, name: str, options: ImportOptions = ImportOptions()) -> Runnable:
    """Find out what `spec` is. `name` keeps the stages of several models of one session apart."""
    path = Path(spec)
    if (path / RUN_FILE).is_file():
        return _artifact(session, path)
    imported = import_model(session, spec, options, prefix=f"{name}:")
    tree = f"tree:{session.executor.outcomes[imported.ir].output}"
    source = f"tree:{imported.source.tree}"
    return Runnable(
        spec=spec,
        contract=imported.contract,
        feeds=tree,
        run=imported.frontend.reference_call(imported.sniffed, imported.options),
        time=imported.frontend.timing_call(imported.sniffed, imported.options),
        inputs={"source": source, "imported": tree},
        frontend=imported.frontend,
        sniffed=imported.sniffed,
        source=source,
        layers=imported.frontend.layers_call(imported.sniffed, imported.options),
    )


def _artifact(session: Session, path: Path) -> Runnable:
    if before_encryption(path) is not None:
        raise UserError(
            f"{path} is encrypted", hint="load it with its load_encrypted.py, or `dlpipe package decrypt` it first"
        )
    try:
        how = json.loads((path / RUN_FILE).read_text(encoding="utf-8"))
        where, tool, variant = find_target(how["target"]), backend(how["backend"]), str(how["variant"])
        tolerance_of(variant)  # KeyError for a precision that is none
        contract = Contract.read(path)
        if "parts" not in how:
            _check_call(path, how)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadModel(f"{path} is not a whole artefact of dlpipe: {error}", hint="convert the model again") from error
    tree = f"tree:{session.store.ingest(path).digest}"
    if "parts" in how:
        chain = _chain(session, path, where, how)
        folders = tuple(path / each["folder"] for each in how["parts"])
        return Runnable(str(path), contract, tree, None, None, {}, variant=variant, chain=chain, folders=folders)
    run = boards.run_call(tool, where, variant)
    if run is None:
        raise Unsupported(f"nothing here can execute {path} ({where.name})")
    return Runnable(
        spec=str(path),
        contract=contract,
        feeds=tree,
        run=run,
        time=boards.timing_call(tool, where, variant),
        inputs={"artifact": tree},
        variant=variant,
        tool=tool,
        target=where,
    )


def _check_call(path: Path, how: Mapping[str, Any]) -> None:
    """How the artefact is called, before a tool finds out: the file is the user's, and may be another program's of that
    name. Raises ValueError, KeyError, TypeError."""
    entry = PurePosixPath(how["entry"])
    if entry.is_absolute() or ".." in entry.parts or not (path / entry).exists():
        raise ValueError(f"{RUN_FILE} names {str(entry)!r}, which is not in it")
    for port in (*how["inputs"], *how["outputs"]):
        if (
            not isinstance(port["name"], str)
            or not isinstance(port["dtype"], str)
            or not isinstance(port["shape"], list)
        ):
            raise ValueError(f"{RUN_FILE} names inputs and outputs that are none")


def _chain(session: Session, path: Path, where: Target, how: Mapping[str, Any]) -> tuple[Link, ...]:
    links = []
    try:
        for each in how["parts"]:
            tool, variant = backend(each["backend"]), each["variant"]
            call = boards.run_call(tool, where, variant)
            if call is None:
                raise Unsupported(f"nothing here can execute {path} ({where.name})")
            if Path(each["folder"]).name != each["folder"]:
                raise ValueError(f"{each['folder']} is no folder of it")
            _check_call(path / each["folder"], json.loads((path / each["folder"] / RUN_FILE).read_bytes()))
            tree = session.store.ingest(path / each["folder"]).digest
            links.append(Link(call, boards.timing_call(tool, where, variant), f"tree:{tree}", tuple(each["inputs"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadModel(f"{path} is not a whole artefact of dlpipe: {error}", hint="convert the model again") from error
    return tuple(links)


def artifact_digest(spec: str) -> str:
    """Of an artefact's folder as it lies there, without what signing and `compile` added; of an encrypted one, of what
    it was before. Anything else is taken for a digest itself."""
    path = Path(spec).resolve()
    if not path.is_dir():
        return spec
    if (encrypted := before_encryption(path)) is not None:
        return str(encrypted["artifact"])
    return Tree.of(
        File(each.relative_to(path).as_posix(), hash_file(each), each.stat().st_size, bool(each.stat().st_mode & 0o100))
        for each in path.rglob("*")
        if each.is_file() and not (each.parent == path and each.name in (*DOCUMENTS, MANIFEST))
    ).digest

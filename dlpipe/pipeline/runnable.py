"""Anything that can be executed: an original in its framework, an ONNX model, or an artefact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported
from dlpipe.ir.contract import Contract
from dlpipe.pipeline.imported import import_model
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.store import File, Tree, hash_file
from dlpipe.targets.registry import backend, target

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
    variant: str = "fp32"


def load(session: Session, spec: str, name: str, options: ImportOptions = ImportOptions()) -> Runnable:  # noqa: B008 - frozen
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
    )


def _artifact(session: Session, path: Path) -> Runnable:
    try:
        how = json.loads((path / RUN_FILE).read_text(encoding="utf-8"))
        where, tool, variant = target(how["target"]), backend(how["backend"]), str(how["variant"])
        contract = Contract.read(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadModel(f"{path} is not a whole artefact of dlpipe: {error}", hint="convert the model again") from error
    tree = f"tree:{session.store.ingest(path).digest}"
    run = tool.run_call(where, variant)
    if run is None:
        raise Unsupported(f"nothing here can execute {path} ({where.name})")
    return Runnable(
        spec=str(path),
        contract=contract,
        feeds=tree,
        run=run,
        time=tool.timing_call(where, variant),
        inputs={"artifact": tree},
        variant=variant,
    )


def artifact_digest(spec: str) -> str:
    """Of an artefact's folder, as it lies there; anything else is taken for a digest itself."""
    path = Path(spec).resolve()
    if not path.is_dir():
        return spec
    return Tree.of(
        File(each.relative_to(path).as_posix(), hash_file(each), each.stat().st_size, bool(each.stat().st_mode & 0o100))
        for each in path.rglob("*")
        if each.is_file()
    ).digest

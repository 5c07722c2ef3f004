"""`dlpipe export`: the proven IR in another open format, read back and compared before anything is written."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import DlpipeError, GateFailed, UserError
from dlpipe.frontends.registry import find_frontend
from dlpipe.ir import nnef
from dlpipe.pipeline.checks import judge
from dlpipe.pipeline.importing import import_verified
from dlpipe.pipeline.model_file import check_place
from dlpipe.pipeline.proven import Proven, prove_import
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage

_ARCHIVES = (".tgz", ".tar.gz", ".tar")
_NAME = "nnef"  # the stage that writes it


@dataclass(frozen=True, slots=True)
class Written:
    """Stage of what goes to the user, and what was found on the way."""

    stage: str
    value: Mapping[str, Any]
    fidelity: Mapping[str, Any]


def export_verified(
    session: Session,
    spec: str,
    out: Path,
    *,
    options: ImportOptions,
    data: str | None,
    reference: Path | None = None,
) -> dict[str, Any]:
    """Writes `out`: an NNEF folder (`.nnef`), an archive of one, or an ONNX file, by the suffix.

    What cannot be told equal is written too, and its `fidelity` says why.

    Raises GateFailed where what is read back departs from the original, Unsupported, naming node and op, for what the
    format has no counterpart for, UserError for a place that cannot be written. Nothing is written then.
    """
    if out.suffix == ".onnx":
        return import_verified(session, spec, out, options=options, data=data, reference=reference)
    archive = out.name.endswith(_ARCHIVES)
    _check_place(out, archive=archive)
    request = ConvertRequest(model=spec, targets=(), data=data, options=options, reference=reference)
    proven = prove_import(session, request)
    written = _write(session, proven, out.name if archive else None)
    tree = session.executor.outcomes[written.stage].output
    if archive:
        session.store.export_file(tree, out.name, out)
    else:
        _write_folder(session, tree, out)
    return {
        "path": str(out),
        "fidelity": dict(written.fidelity),
        "reference": (session.executor.outcomes["reference"].value or {}).get("tool"),
        "reference_kind": proven.samples.kind,
        "refused_routes": dict(proven.refused),
        "preprocessing": [each.summary for each in proven.imported.contract.preprocessing],
        "operations": written.value["operations"],
        "names": {side: written.value[side] for side in ("inputs", "outputs")},
        "fixed": _fixed(proven, written.value["shapes"]),
        "files": [file.name for file in session.store.tree(tree).files],
    }


def _check_place(out: Path, *, archive: bool) -> None:
    if archive:
        check_place(out)
    elif out.suffix != ".nnef":
        raise UserError(f"{out.name} tells no format", hint="-o model.nnef (a folder), model.nnef.tgz or model.onnx")
    elif out.exists() or not out.parent.is_dir():
        raise UserError(f"{out} is there already, or its folder is not", hint="name a new folder")


def _write(session: Session, proven: Proven, archive: str | None) -> Written:
    ir, samples, run = proven.imported.ir, proven.samples.full, session.executor.run
    run([Stage(_NAME, "package", nnef.write_call(), {"ir": ir, "samples": samples.samples})])
    outcomes = session.executor.outcomes
    value = outcomes[_NAME].value
    frontend = find_frontend("nnef")
    again = frontend.import_call(Sniffed("nnef/folder", "nnef", "."), ImportOptions())
    back = nnef.run_call(value["inputs"], value["outputs"])
    inputs = {"ir": ir, "again": "read-back", "samples": samples.samples}
    stages = [Stage("read-back", "import", again, {"source": _NAME}), Stage(f"run:{_NAME}", "measure", back, inputs)]
    run([*stages, *judge(_NAME, "fp32", samples, replace(proven.samples, labelled=False))])
    fidelity = outcomes[f"fidelity:{_NAME}"]
    _stop_if_wrong(fidelity.value, fidelity.error)
    if archive is None:
        return Written(_NAME, value, fidelity.value)
    run([Stage("archive", "package", nnef.pack_call(archive), {"nnef": _NAME})])
    return Written("archive", value, fidelity.value)


def _stop_if_wrong(fidelity: Mapping[str, Any] | None, error: DlpipeError | None) -> None:
    if error is not None:
        raise error
    if fidelity is None:
        raise GateFailed("the NNEF could not be compared with the original", hint="nothing was written", stage=_NAME)
    if fidelity["passed"] is False:
        raise GateFailed(
            f"the NNEF that was written departs from the original: {fidelity['reason']}",
            hint="nothing was written; please report it with the model's operators (`dlpipe inspect`)",
            stage=_NAME,
        )


def _fixed(proven: Proven, shapes: Mapping[str, list[int]]) -> dict[str, int]:
    """Free dims of the inputs, and the sizes that they were written with: NNEF has none that are free."""
    found: dict[str, int] = {}
    for port in proven.imported.contract.inputs:
        for dim, size in zip(port.shape, shapes.get(port.name, ()), strict=False):
            if isinstance(dim, str):
                found[dim] = size
    return found


def _write_folder(session: Session, tree: str, out: Path) -> None:
    """All of it or nothing: written beside, then renamed."""
    try:
        beside = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from error
    try:
        beside.chmod(0o777 & ~_umask())
        for file in session.store.tree(tree).files:
            session.store.export_file(tree, file.name, beside / file.name)
        beside.rename(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(beside)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask

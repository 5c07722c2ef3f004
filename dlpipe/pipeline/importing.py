"""`dlpipe import`: the frontend, and the proof that the ONNX model equals the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.errors import UserError
from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session


def import_verified(
    session: Session,
    spec: str,
    out: Path,
    *,
    options: ImportOptions,
    data: str | None,
    reference: Path | None = None,
) -> dict[str, Any]:
    """Writes `out` and its companions (contract.json, external data, preprocessing) only when the model is right.

    Raises GateFailed when it is not, UserError when `out` cannot be written.
    """
    check_place(out)
    request = ConvertRequest(model=spec, targets=(), data=data, options=options, reference=reference)
    proven = prove_import(session, request)
    imported, outcomes = proven.imported, session.executor.outcomes
    write_ir(session, outcomes[imported.ir].output, out)
    return {
        "path": str(out),
        "fidelity": outcomes[f"fidelity:{imported.ir}"].value,
        "reference": (outcomes["reference"].value or {}).get("tool"),
        "reference_kind": proven.samples.kind,
        "refused_routes": dict(proven.refused),
        "preprocessing": [each.summary for each in imported.contract.preprocessing],
        "contract": imported.contract.model_dump(mode="json"),
    }


def check_place(out: Path) -> None:
    """Before any work is done. Raises UserError where the model could not be written."""
    if out.is_dir() or not out.parent.is_dir():
        raise UserError(f"{out} is not a file in a folder that exists", hint="e.g. -o model.onnx")


def write_ir(session: Session, tree: str, out: Path) -> None:
    """The model of an IR folder as `out`, its companions beside it under their own names."""
    for file in session.store.tree(tree).files:
        name = out.name if file.name == "model.onnx" else file.name
        session.store.export_file(tree, file.name, out.parent / name)

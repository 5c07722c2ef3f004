"""`dlpipe import`: the frontend, and the proof that the ONNX model equals the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.pipeline.model_file import check_place, write_ir
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
    """Writes `out` and what belongs beside it (contract, external data, preprocessing) only when the model is right.

    Raises GateFailed when it is not, UserError when `out` cannot be written, or another model's weights lie there.
    """
    check_place(out)
    request = ConvertRequest(model=spec, targets=(), data=data, options=options, reference=reference)
    proven = prove_import(session, request)
    imported, outcomes = proven.imported, session.executor.outcomes
    contract = write_ir(session.store, outcomes[imported.ir].output, out)
    return {
        "path": str(out),
        "fidelity": outcomes[f"fidelity:{imported.ir}"].value,
        "reference": (outcomes["reference"].value or {}).get("tool"),
        "reference_kind": proven.samples.kind,
        "refused_routes": dict(proven.refused),
        "preprocessing": [each.summary for each in imported.contract.preprocessing],
        "contract": contract.model_dump(mode="json"),
    }

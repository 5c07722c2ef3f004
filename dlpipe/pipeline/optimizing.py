"""`dlpipe optimize`: only the IR passes, each proven against the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.errors import GateFailed, UserError
from dlpipe.passes.registry import STANDARD, pass_info
from dlpipe.pipeline.model_file import check_place, write_ir
from dlpipe.pipeline.optimise import Optimised, optimise
from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session


def optimize_verified(
    session: Session,
    spec: str,
    out: Path,
    *,
    options: ImportOptions,
    data: str | None,
    passes: tuple[str, ...] | None,
) -> dict[str, Any]:
    """Writes `out` and what belongs beside it. passes: None for the standard ones, of which one that breaks the model
    is left out; of passes that were asked for by name, none may.

    Raises UserError for a pass that is unknown, lossy or named twice, GateFailed for an import or pass that departs
    from the original; then nothing is written.
    """
    check_place(out)
    chosen = STANDARD if passes is None else _exact(passes)
    proven = prove_import(session, ConvertRequest(model=spec, targets=(), data=data, options=options))
    imported = proven.imported
    optimised = optimise(session, proven.samples, start=imported.ir, passes=chosen)
    if passes is not None and optimised.dropped:
        name, why = next(iter(optimised.dropped.items()))
        raise GateFailed(f"the pass {name} broke the model: {why}", hint="leave it out of --passes", stage=name)
    write_ir(session.store, session.executor.outcomes[optimised.ir].output, out)
    return _result(session, out, imported.ir, optimised)


def _exact(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not pass_info(name).exact:
            raise UserError(f"the pass {name} is lossy", hint="`dlpipe convert --precision` makes what it makes")
    if not names or len(set(names)) < len(names):
        raise UserError(f"--passes names none, or one twice: {','.join(names)}")
    return names


def _result(session: Session, out: Path, ir: str, optimised: Optimised) -> dict[str, Any]:
    outcomes = session.executor.outcomes
    before, after = (outcomes[f"describe:{name}"].value for name in (ir, optimised.ir))
    return {
        "path": str(out),
        "reference": (outcomes["reference"].value or {}).get("tool"),
        "fidelity": outcomes[f"fidelity:{optimised.ir}"].value,
        "passes": [{"name": name, "changes": outcomes[name].value["changes"]} for name in optimised.applied],
        "dropped": optimised.dropped,
        "nodes": [before["node_count"], after["node_count"]],
        "parameters": [before["parameters"], after["parameters"]],
        "size_bytes": [before["size_bytes"], after["size_bytes"]],
    }

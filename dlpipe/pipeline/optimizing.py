"""`dlpipe optimize`: only the IR passes, each proven against the original."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.contracts.passes import ChosenPass
from dlpipe.errors import DlpipeError, GateFailed, UserError
from dlpipe.ir.contract import Contract
from dlpipe.passes.registry import STANDARD, pass_info
from dlpipe.pipeline.model_file import check_onnx_place, write_ir
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
    passes: tuple[ChosenPass, ...] | None,
) -> dict[str, Any]:
    """Writes `out` and what belongs beside it. passes: None for the standard ones, of which one that breaks the model
    is left out; of passes that were asked for by name, none may.

    A model of fixed sizes (`specialise`) is fed with samples of these sizes, a part of it (`extract`) with the values
    that the whole one has there. Raises UserError for a pass that is unknown, lossy or named twice, GateFailed for an
    import or pass that departs from the original, and what a pass says of a model that it cannot work on; then nothing
    is written.
    """
    check_onnx_place(out)
    chosen = tuple(map(ChosenPass, STANDARD)) if passes is None else _exact(passes)
    sizes = {name: size for each in chosen for name, size in _dims(each).items()}
    request = ConvertRequest(model=spec, targets=(), data=data, options=options, sample_dims=sizes)
    proven = prove_import(session, request)
    imported = proven.imported
    chosen = tuple(_by_own_names(each, imported.contract) for each in chosen)
    outputs = [port.name for port in imported.contract.outputs]
    optimised = optimise(session, proven.samples, start=imported.ir, passes=chosen, outputs=outputs)
    if passes is not None and optimised.dropped:
        raise _failure(session, *next(iter(optimised.dropped.items())))
    write_ir(session.store, session.executor.outcomes[optimised.ir].output, out)
    return _result(session, out, imported.ir, optimised)


def _failure(session: Session, name: str, why: str) -> DlpipeError:
    """What the pass itself says of the model, or that it broke it."""
    error = session.executor.outcomes[name].error
    if error is not None:
        return error
    fixed = pass_info(name).gathers == "dims" and why.startswith("run:")
    hint = "give data of the sizes that were fixed" if fixed else "leave it out of --passes"
    return GateFailed(f"the pass {name} broke the model: {why}", hint=hint, stage=name)


def _exact(chosen: tuple[ChosenPass, ...]) -> tuple[ChosenPass, ...]:
    names = [each.name for each in chosen]
    for name in names:
        if not pass_info(name).exact:
            raise UserError(f"the pass {name} is lossy", hint="`dlpipe compress` makes what it makes")
    if not names or len(set(names)) < len(names):
        raise UserError(f"--passes names none, or one twice: {','.join(names)}")
    return chosen


def _dims(chosen: ChosenPass) -> dict[str, int]:
    return dict(chosen.params.get("dims", {})) if pass_info(chosen.name).gathers == "dims" else {}


def _by_own_names(chosen: ChosenPass, contract: Contract) -> ChosenPass:
    """`batch` becomes the dim that it is."""
    dims = _dims(chosen)
    return replace(chosen, params={**chosen.params, "dims": contract.sizes_of(dims)}) if dims else chosen


def _result(session: Session, out: Path, ir: str, optimised: Optimised) -> dict[str, Any]:
    outcomes = session.executor.outcomes
    before, after = (outcomes[f"describe:{name}"].value for name in (ir, optimised.ir))
    tool = (outcomes["reference"].value or {}).get("tool")
    return {
        "path": str(out),
        "reference": "the whole model's values" if "extract" in optimised.applied else tool,
        "fidelity": outcomes[f"fidelity:{optimised.ir}"].value,
        "passes": [{"name": name, "changes": outcomes[name].value["changes"]} for name in optimised.applied],
        "dropped": optimised.dropped,
        "nodes": [before["node_count"], after["node_count"]],
        "parameters": [before["parameters"], after["parameters"]],
        "size_bytes": [before["size_bytes"], after["size_bytes"]],
    }

"""`dlpipe compile`: one backend, one target, one precision; no timing, no choice.

Exact passes come before, since compilers take few models as they are exported; no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dlpipe import __version__
from dlpipe.errors import DlpipeError, GateFailed, Unsupported
from dlpipe.pipeline.artifacts import Built, build, candidates, failure, refuse_unaccepted
from dlpipe.pipeline.assemble import Assembler
from dlpipe.pipeline.bisect.in_artifacts import of_artifacts
from dlpipe.pipeline.bisect.in_stages import of_stages
from dlpipe.pipeline.optimise import optimise
from dlpipe.pipeline.output import check_free, export_into, output_folder, write_manifest
from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.tuning.plan import shares, tuning_notes
from dlpipe.pipeline.variants import make_variant, settle
from dlpipe.report.schema import Artifact
from dlpipe.targets.registry import target as find_target


def compile_model(session: Session, request: ConvertRequest, out: Path) -> dict[str, Any]:
    """Writes the artefact's folder `out`: complete, or not at all. `request` names one target and one backend, and a
    precision.

    Returns {"path", "artifact": as in report.json, "notes": what came of tuning}.
    Raises what the import raises; Unsupported with what pre-flight
    says of the model, the tool's own failure, GateFailed where the artefact ran and departs from the original: then
    nothing is written.
    """
    check_free(out)
    target = find_target(request.targets[0])
    (wanted,) = candidates(target, request)
    refuse_unaccepted(session, [wanted])
    proven = prove_import(session, request)
    samples, ir = proven.samples, optimise(session, proven.samples, start=proven.imported.ir).ir
    quantised_for = wanted.quantised_for
    variant = make_variant(wanted.recipe, samples, ir=ir, target=quantised_for)
    made = settle(session, variant, samples, ir=ir, target=quantised_for)
    tuning = shares([wanted], request.tune)
    (built,) = build(session, [wanted], samples, {wanted.ir_name: made.ir}, tuning=tuning)
    departs_at = of_artifacts(session, samples, [built], of_stages(session))
    artifact = Assembler(session, samples, {}, {}, departs_at).artifact(built.candidate)
    if (error := _error(session, built, artifact)) is not None:
        raise error
    with output_folder(out) as folder:
        export_into(session.store, folder, str(artifact.digest))
        source = proven.imported.source
        write_manifest(folder, {"dlpipe": __version__, "run": session.id, "source_sha256": source.sha256})
    notes = [note.message for note in tuning_notes([built], request.tune)]
    shown = artifact.model_copy(update={"path": str(out)})
    return {"path": str(out), "artifact": shown.model_dump(mode="json"), "notes": notes}


def _error(session: Session, built: Built, artifact: Artifact) -> DlpipeError | None:
    candidate = built.candidate
    if candidate.refusals:
        first = candidate.refusals[0]
        reason = str(replace(first, hint=None))
        more = f" (and {len(candidate.refusals) - 1} more: dlpipe plan lists them)" if candidate.refusals[1:] else ""
        what = f"{candidate.backend.name} cannot make it for {candidate.target.name}: {reason}{more}"
        return Unsupported(what, hint=first.hint, node=next(iter(first.nodes), None), op=first.op)
    if artifact.verdict != "failed":
        return None
    return failure(session, built) or GateFailed(artifact.reason or "it failed", hint=_HINT, stage=candidate.id)


_HINT = "nothing was written; `dlpipe convert` tries other backends and precisions"

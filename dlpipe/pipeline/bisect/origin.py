"""Finding the IR of a stage or artefact again, in the records of what was computed on this machine."""

from __future__ import annotations

import re
from pathlib import Path

from dlpipe.errors import UserError
from dlpipe.pipeline.runs import find_report, run_folder, stages_of
from dlpipe.pipeline.store import Store
from dlpipe.toolchains.manager import default_cache_dir

_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
_MAKES_NO_MODEL = (
    *("run:", "fidelity:", "accuracy:", "describe:", "verify:", "isa:", "package:", "sniff", "samples", "sample:"),
    *("reference", "layers", "departs", "timing", "start:", "walk:", "skeleton:", "part:", "whole:", "look"),
)


def locate_stage(store: Store, spec: str) -> str | None:
    """The tree that `RUN:STAGE` made; None where `spec` does not begin with a run.

    RUN is a run id, an output folder or a report.json. An artefact's stage, `compile:TARGET/BACKEND-VARIANT`, stands
    for the artefact as it is shipped. Raises UserError for a stage that the run does not have, or that made nothing.
    """
    run, colon, stage = spec.partition(":")
    if not colon or not stage or not (_is_run(run) or _RUN_ID.fullmatch(run)):
        return None
    known = stages_of(run_folder(run))
    name = f"package:{stage.removeprefix('compile:')}" if stage.startswith("compile:") else stage
    made = [each for each in known if not each.startswith(_MAKES_NO_MODEL)]
    if name not in known:
        raise UserError(f"run {run} has no stage {stage!r}", hint=f"it has: {', '.join(made[:20])}")
    key = known[name]["key"]
    record = store.get(key) if key else None
    if record is None or record.output is None:
        why = known[name].get("reason") or "its result is no longer in the cache"
        raise UserError(f"the stage {stage} of run {run} left no model: {why}", hint="run the command again")
    return record.output


def _is_run(text: str) -> bool:
    path = Path(text)
    if path.exists():
        try:
            find_report(text)
        except UserError:
            return False
        return True
    return "/" not in text and bool(text) and (default_cache_dir() / "runs" / text / "stages.json").is_file()


def ir_of(store: Store, artifact: str) -> str | None:
    """Digest of the IR that an artefact was compiled from; None where no record tells."""
    for record in store.records():
        if record.output == artifact and record.parts.get("operation") == "attach":
            return str(record.parts["inputs"]["ir"])
    return None

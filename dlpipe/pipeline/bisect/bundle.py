"""A folder from which anyone sees a departure again: the smallest part that still departs, its inputs, and how."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlpipe import __version__
from dlpipe.data import pick_call
from dlpipe.errors import GateFailed
from dlpipe.ir.calls import attach_call
from dlpipe.ir.contract import Contract
from dlpipe.measure import strip_call
from dlpipe.pipeline.output import check_free, output_folder, write_manifest
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Outcome, Stage
from dlpipe.toolchains.bundle import write_bundle

_README = """# {title}

{what}

    {command}

shows it again, with exit code 3. `reference/` holds the part as it should be, {candidate}, `samples.npz`
what both are fed with, `bisect.json` all that was found, and `versions.json` the tools that it was found with.{compile}
"""
_COMPILE = """

    python -m dlpipe.toolchains.bundle compile

compiles the part anew."""

_NOT_SHOWN = "no bundle was written; with --strip-weights, leave that out: it is these very weights that show it"


@dataclass(frozen=True, slots=True)
class Departure:
    """reference, candidate, samples: ids of stages. compiled: that of what the candidate was compiled by."""

    reference: str
    candidate: str
    samples: str
    precision: str
    compiled: str | None = None


def stripped(session: Session, departure: Departure) -> Departure:
    """The same with noise in place of the weights: the candidate is compiled anew, or must share them. Raises
    Unsupported where it does not."""
    executor, strip = session.executor, strip_call()
    reference, candidate = "stripped:reference", "stripped:candidate"
    stages = [Stage(reference, "measure", strip, {"ir": departure.reference})]
    if departure.compiled is None:
        shared = {"ir": departure.candidate, "other": departure.reference}
        stages.append(Stage(candidate, "measure", strip, shared))
        executor.run(stages)
        return replace(departure, reference=reference, candidate=candidate)
    made = executor.outcomes[departure.compiled].stage
    compiled = replace(made, id="stripped:compiled", inputs={**made.inputs, "ir": reference}, required=True)
    both = {"artifact": compiled.id, "ir": reference}
    executor.run([*stages, compiled, Stage(candidate, "package", attach_call(), both)])
    return replace(departure, reference=reference, candidate=candidate, compiled=compiled.id)


def write(
    session: Session,
    out: Path,
    found: Mapping[str, Any],
    departure: Departure,
    said: Sequence[str],
    shows: Callable[[Path, Path, Path], bool],
) -> Path:
    """Complete or not at all. shows: whether the two still depart, by what the bundle's own command does: given the
    paths of reference, candidate and samples.

    Raises GateFailed where they do not, UserError where something else lies at `out`.
    """
    check_free(out)
    outcomes, store = session.executor.outcomes, session.store
    graph = departure.compiled is None
    paths = ["reference/model.onnx", "candidate/model.onnx" if graph else "candidate", "samples.npz"]
    command = f"dlpipe bisect {paths[0]} {paths[1]} --samples {paths[2]} --precision {departure.precision}"
    fed = _fed(session, departure)
    with output_folder(out) as folder:
        store.export(outcomes[departure.reference].output, folder / "reference")
        store.export(outcomes[departure.candidate].output, folder / "candidate")
        store.export_file(fed, "samples.npz", folder / "samples.npz")
        if departure.compiled is not None:
            _write_compile(session, folder, outcomes[departure.compiled].stage)
        _write_json(folder / "bisect.json", found)
        _write_json(folder / "versions.json", _versions(outcomes.values()))
        text = _README.format(
            title="A part of a model that departs from its reference",
            what="\n".join(said),
            command=command,
            candidate="`candidate/` the part as it is" if graph else "`candidate/` what was compiled of it",
            compile="" if graph else _COMPILE,
        )
        (folder / "README.md").write_text(text, encoding="utf-8")
        write_manifest(folder, {"dlpipe": __version__, "run": session.id})
        first, second, samples = (folder / path for path in paths)
        if not shows(first, second, samples):
            raise GateFailed("the part does not depart any more when it is run by itself", hint=_NOT_SHOWN)
    return out


def _fed(session: Session, departure: Departure) -> str:
    """Digest of what the part is fed with, and no more: the samples hold what the whole model is fed with too."""
    reference = session.executor.outcomes[departure.reference].output
    contract = Contract.model_validate_json(session.store.read(reference, "contract.json"))
    call = pick_call(names=[port.name for port in contract.inputs])
    stage = Stage("bundle:samples", "data", call, {"data": departure.samples})
    return session.executor.run([stage])[stage.id].output


def _write_compile(session: Session, folder: Path, stage: Stage) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        given = {name: Path(place, name) for name in stage.inputs}
        for name, tree in session.executor.resolve(stage).items():
            session.store.export(tree, given[name])
        error = GateFailed("what it makes departs from its reference")
        write_bundle(folder / "compile", stage.call, given, error)


def _versions(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    tools = {name: version for each in outcomes if each.record for name, version in each.record.tools.items()}
    machine = f"{platform.system()} {platform.release()} {platform.machine()}"
    return {"dlpipe": __version__, "python": platform.python_version(), "machine": machine, "tools": tools}


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")

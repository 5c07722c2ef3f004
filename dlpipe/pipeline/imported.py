"""From the user's file to the IR: what the content is, which frontend takes it, and the ONNX model it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported
from dlpipe.frontends.registry import frontend_for, frontends
from dlpipe.frontends.sniff import sniff_call
from dlpipe.ir import carried
from dlpipe.ir.calls import carry_call, check_call, describe_call
from dlpipe.ir.contract import Contract
from dlpipe.ir.picture import from_user
from dlpipe.pipeline.events import StageNote
from dlpipe.pipeline.heeded import unheeded
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.source import Source, take
from dlpipe.pipeline.stage import Stage


@dataclass(frozen=True, slots=True)
class Imported:
    """A model in the IR. `ir` is the id of the stage whose output folder holds it."""

    source: Source
    sniffed: Sniffed
    frontend: Frontend
    contract: Contract
    description: Mapping[str, Any]
    options: ImportOptions
    ir: str = "import"


class Opened(NamedTuple):
    """A file of the user's, and who takes it."""

    source: Source
    sniffed: Sniffed
    frontend: Frontend


def sniff(session: Session, spec: str, *, prefix: str = "", factory: str | None = None) -> Opened:
    """What `plan` and `inspect` need: no framework is installed or started for it.

    prefix: keeps the stages of several models of one session apart. factory: user code that is taken along.
    Raises BadModel when the content is no model, Unsupported when no frontend takes the format.
    """
    source = take(session.store, spec, tuple(frontends()), factory)
    stage = Stage(f"{prefix}sniff", "import", sniff_call(source.entry), {"source": f"tree:{source.tree}"})
    value = session.executor.run([stage])[stage.id].value
    if value["format"] == "unknown":
        value = _ask_others(session, source, prefix) or value
    sniffed = Sniffed(**{**value, "risks": tuple(value.get("risks", ()))})
    return Opened(source, sniffed, frontend_for(sniffed, forced=source.framework))


def _ask_others(session: Session, source: Source, prefix: str) -> dict[str, Any] | None:
    """What the frontends of other packages take the content for."""
    for name, each in frontends().items():
        call = each.sniff_call(source.entry)
        if call is not None:
            stage = Stage(f"{prefix}sniff:{name}", "import", call, {"source": f"tree:{source.tree}"})
            value = session.executor.run([stage])[stage.id].value
            if value:
                return {"entry": source.entry, **value}
    return None


def import_model(session: Session, spec: str, options: ImportOptions, *, prefix: str = "") -> Imported:
    return import_opened(session, sniff(session, spec, prefix=prefix, factory=options.factory), options, prefix=prefix)


def import_opened(session: Session, opened: Opened, options: ImportOptions, *, prefix: str = "") -> Imported:
    """By the route of the options (none: the preferred one); compared with nothing yet."""
    source, sniffed, frontend = opened
    options = replace(options, factory=source.factory)  # as the worker imports it
    tree, name = f"tree:{source.tree}", f"{prefix}import"
    model = Stage(name, "import", frontend.import_call(sniffed, options), {"source": tree})
    outcomes = session.executor.run(
        [
            *_with_pictures(session, model, opened, options),
            Stage(f"verify:{name}", "measure", check_call(), {"ir": name}),
            Stage(f"describe:{name}", "measure", describe_call(), {"ir": name}),
        ]
    )
    contract = Contract.model_validate_json(session.store.read(outcomes[name].output, "contract.json"))
    if not contract.inputs or not contract.outputs:
        raise Unsupported(
            f"{source.path} has no {'inputs' if not contract.inputs else 'outputs'} that can be found",
            hint="name them with --input name:shape and --output name",
        )
    if unfit := next((port.name for port in (*contract.inputs, *contract.outputs) if "\0" in port.name), None):
        raise BadModel(
            f"{source.path} calls an input or output {unfit!r}: a NUL ends a name in the archives that arrays are in",
            hint="give it another name in the model",
        )
    for message in unheeded(contract, options):
        session.bus.emit(StageNote(stage=name, level="warning", message=message))
    return Imported(source, sniffed, frontend, contract, outcomes[f"describe:{name}"].value, options, name)


def _with_pictures(session: Session, model: Stage, opened: Opened, options: ImportOptions) -> list[Stage]:
    """The stage that imports; where the user, or a file beside the model, says how pictures are prepared, that one
    under another name, and in its place the stage that puts this into the contract."""
    files = {file.name for file in session.store.tree(opened.source.tree).files}
    if options.preprocess is None and not files & set(carried.FILES):
        return [model]
    first = replace(model, id=f"{model.id}:model")
    part = None
    if options.preprocess is not None:
        outcome = session.executor.run([first])[first.id]
        contract = Contract.model_validate_json(session.store.read(outcome.output, "contract.json"))
        part = from_user(options.preprocess, contract).model_dump(mode="json")
    inputs = {"ir": first.id, "source": f"tree:{opened.source.tree}"}
    return [first, Stage(model.id, "import", carry_call(part), inputs)]

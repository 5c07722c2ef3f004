"""`dlpipe lineage`: where an artefact comes from."""

from __future__ import annotations

from typing import Annotated

import typer

from dlpipe.cli import options as opt


def register(app: typer.Typer) -> None:
    app.command("lineage")(lineage)


def lineage(
    artifact: Annotated[str, typer.Argument(help="An artefact's folder, or the beginning of its digest.")],
    as_json: opt.AsJson = False,
) -> None:
    """Show data set and model -> stages -> artefact -> measurements.

    \b
    Example:
      dlpipe lineage dlpipe-out/model-1a2b3c4d/selected/arm64
    """
    from dataclasses import asdict

    from dlpipe.cli.output import print_json, print_table
    from dlpipe.errors import UserError
    from dlpipe.pipeline.lineage import Lineage
    from dlpipe.pipeline.runnable import artifact_digest
    from dlpipe.toolchains.manager import default_cache_dir

    try:
        found = Lineage(default_cache_dir() / "lineage.sqlite").of_artifact(artifact_digest(artifact))
    except LookupError as error:
        raise UserError(str(error), hint="`dlpipe report RUN --format json` lists the digests of a run") from None
    if as_json:
        print_json(asdict(found))
        return
    rows = [("given", name, digest[:12]) for digest, name in found.sources.items()]
    rows += [(each.kind, each.stage, (each.output or "")[:12]) for each in found.stages]
    made = found.artifact
    rows += [("artefact", f"{made.target}/{made.backend}-{made.variant}: {made.verdict}", made.digest[:12])]
    rows += [(each.provenance, each.name, f"{each.value} {each.unit or ''}") for each in found.measurements]
    print_table(("", "what", "digest or value"), rows)

"""`dlpipe lineage`: where an artefact comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dlpipe.cli import options as opt

if TYPE_CHECKING:
    from dlpipe.pipeline.lineage import MeasurementEntry


def register(app: typer.Typer) -> None:
    app.command("lineage")(lineage)


def lineage(
    artifact: Annotated[
        str,
        typer.Argument(help="An artefact's folder, a model that compress wrote, or the beginning of a digest."),
    ],
    mlflow: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Write it as a run of this MLflow tracking server.")
    ] = None,
    experiment: Annotated[str, typer.Option(help="The experiment that the run belongs to, with --mlflow.")] = "dlpipe",
    as_json: opt.AsJson = False,
) -> None:
    """Show data set and model -> stages -> artefact -> measurements -> packages that were signed, encrypted or pushed.

    A team shares one database: DLPIPE_LINEAGE=postgresql://user:password@host/database.

    \b
    Examples:
      dlpipe lineage dlpipe-out/model-1a2b3c4d/selected/arm64
      dlpipe lineage dlpipe-out/model-1a2b3c4d/selected/arm64 --mlflow http://127.0.0.1:5000
    """
    from dataclasses import asdict

    from dlpipe.cli.output import print_json, print_table
    from dlpipe.errors import UserError
    from dlpipe.pipeline.lineage import users_lineage
    from dlpipe.pipeline.runnable import artifact_digest
    from dlpipe.pipeline.runs import compressed_digest

    known = users_lineage()
    try:
        found = known.of_artifact(compressed_digest(artifact) or artifact_digest(artifact))
    except LookupError as error:
        hint = "`dlpipe report RUN --format json` lists the digests of a run; what a service made has its lineage there"
        raise UserError(str(error), hint=hint) from None
    if mlflow is not None:
        from dlpipe.pipeline.mlflow import export

        made = export(found, known.run(found.run), mlflow, experiment)
        if as_json:
            print_json(made)
        else:
            typer.echo(made["address"])
        return
    if as_json:
        print_json(asdict(found))
        return
    rows = [("given", name, digest[:12]) for digest, name in found.sources.items()]
    rows += [(each.kind, each.stage, (each.output or "")[:12]) for each in found.stages]
    own = found.artifact
    rows += [("artefact", f"{own.target}/{own.backend}-{own.variant}: {own.verdict}", own.digest[:12])]
    rows += [(each.provenance, each.name, _figure(each)) for each in found.measurements]
    rows += [(each.kind, each.place, each.identity) for each in found.publications]
    print_table(("", "what", "digest or value"), rows)


def _figure(measured: MeasurementEntry) -> str:
    if measured.value is None:
        return measured.reason or "-"
    value = f"{measured.value:.6g}" if isinstance(measured.value, float) else str(measured.value)
    return " ".join(filter(None, (value, measured.unit)))

"""`dlpipe explain`: why a stage hit or missed the cache."""

from __future__ import annotations

from typing import Annotated

import typer

from dlpipe.cli import options as opt


def register(app: typer.Typer) -> None:
    app.command("explain")(explain)


def explain(
    run: Annotated[str, typer.Argument(help="A run id, an output folder, or a report.json.")],
    stage: Annotated[str | None, typer.Argument(help="One stage, with all it ran with; default: all stages.")] = None,
    as_json: opt.AsJson = False,
) -> None:
    """Tell why each stage hit or missed the cache, what it ran, and with what.

    \b
    Examples:
      dlpipe explain dlpipe-out/model-1a2b3c4d
      dlpipe explain dlpipe-out/model-1a2b3c4d int8
    """
    from dlpipe.cli.output import print_json, print_table
    from dlpipe.pipeline.explain import explain as explain_run
    from dlpipe.pipeline.store import Store
    from dlpipe.toolchains.manager import default_cache_dir

    found = explain_run(Store(default_cache_dir() / "store"), run, stage)
    if as_json:
        print_json(found)
    elif stage is None:
        print_table(("stage", "cache", "why"), [(e["stage"], e["cache"] or e["status"], e["why"]) for e in found])
    else:
        ran = found[0].pop("ran", {})
        print_table(("", ""), [(key, value) for key, value in {**found[0], **ran}.items() if value])

"""`dlpipe report`: a run, rendered."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli import options as opt


def register(app: typer.Typer) -> None:
    app.command("report")(report)


def report(
    run: Annotated[str, typer.Argument(help="A run id, an output folder, or a report.json.")],
    format_: Annotated[str, typer.Option("--format", "-f", help="text, html, md, json or junit.")] = "text",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file; default: standard output.")] = None,
    no_color: opt.NoColor = False,
) -> None:
    """Render the report of a run again, in another format.

    \b
    Examples:
      dlpipe report dlpipe-out/model-1a2b3c4d --format md
      dlpipe report 20261123-141500-1f2e -f junit -o junit.xml
    """
    from dlpipe.errors import UserError
    from dlpipe.pipeline.runs import find_report
    from dlpipe.report.render import RENDERERS

    found = find_report(run)
    if format_ == "text":
        from dlpipe.report.terminal import render_terminal

        render_terminal(found, color=not no_color)
        return
    if format_ not in RENDERERS:
        raise UserError(f"there is no format {format_!r}", hint=f"text, {', '.join(RENDERERS)}")
    text = RENDERERS[format_](found)
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {out}")

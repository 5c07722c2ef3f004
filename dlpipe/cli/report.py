"""`dlpipe report`: a run, rendered."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlpipe.cli import options as opt

if TYPE_CHECKING:
    from dlpipe.report.compression import Compression
    from dlpipe.report.schema import Report


def register(app: typer.Typer) -> None:
    app.command("report")(report)


def report(
    run: Annotated[
        str, typer.Argument(help="A run id, an output folder, a report.json, or a model that compress wrote.")
    ],
    format_: Annotated[
        str,
        typer.Option("--format", "-f", help="text, html, md, json, junit, sarif, tensorboard or visualdl."),
    ] = "text",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A file (default: standard output); a folder for trackers.")
    ] = None,
    lang: opt.Lang = "en",
    offline: opt.Offline = False,
    no_color: opt.NoColor = False,
) -> None:
    """Render the report of a run again, in another format.

    \b
    Examples:
      dlpipe report dlpipe-out/model-1a2b3c4d --format md
      dlpipe report 20261123-141500-1f2e -f junit -o junit.xml
      dlpipe report dlpipe-out/model-1a2b3c4d -f tensorboard -o logs/model
    """
    from dlpipe.errors import UserError
    from dlpipe.pipeline.runs import find_compression, find_report
    from dlpipe.report.html import render_html
    from dlpipe.report.languages import language
    from dlpipe.report.log import TRACKERS
    from dlpipe.report.render import RENDERERS

    compression = find_compression(run)
    if compression is not None:
        _of_compression(compression, format_, out, color=not no_color)
        return
    found = find_report(run)
    words = language(lang)
    if format_ == "text":
        from dlpipe.report.terminal import render_terminal

        _print(lambda **how: render_terminal(found, t=words, **how), out, color=not no_color)
        return
    if format_ in TRACKERS:
        _track(found, format_, out or Path("dlpipe-log") / format_ / found.run, offline=offline)
        return
    if format_ not in RENDERERS:
        raise UserError(f"there is no format {format_!r}", hint=", ".join(("text", *RENDERERS, *TRACKERS)))
    text = render_html(found, words) if format_ == "html" else RENDERERS[format_](found)
    _give(text, out)


def _of_compression(found: Compression, name: str, out: Path | None, *, color: bool) -> None:
    from dlpipe.errors import UserError
    from dlpipe.report.compression_text import render_compression
    from dlpipe.report.render import COMPRESSION_RENDERERS

    if name == "text":
        _print(lambda **how: render_compression(found, **how), out, color=color)
        return
    if name not in COMPRESSION_RENDERERS:
        known = ", ".join(("text", *COMPRESSION_RENDERERS))
        raise UserError(f"a compression is not rendered as {name!r}", hint=known)
    _give(COMPRESSION_RENDERERS[name](found), out)


def _print(render: Callable[..., None], out: Path | None, *, color: bool) -> None:
    """render: prints in `color` or not, or to a `console`."""
    from dlpipe.report.console import PlainConsole

    if out is None:
        render(color=color)
        return
    page = io.StringIO()
    render(console=PlainConsole(file=page, force_terminal=False, highlight=False))
    _give(page.getvalue(), out)


def _give(text: str, out: Path | None) -> None:
    from dlpipe.pipeline.store.disk import writing

    if out is None:
        sys.stdout.write(text)
        return
    with writing(out, "the report's file"):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {out}")


def _track(found: Report, tracker: str, out: Path, *, offline: bool) -> None:
    from dlpipe.cli.progress import Progress
    from dlpipe.pipeline.session import Session
    from dlpipe.pipeline.tracking import write_log

    with Progress(quiet=False, verbose=False) as progress, Session(offline=offline, listeners=[progress]) as session:
        write_log(session, found, tracker, out)
    typer.echo(f"wrote {out}: {tracker} --logdir {out}")

"""The report as one HTML file: no script, no network, no fonts of others. It forbids itself all of that by a policy."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dlpipe.report import dag, summary, view, words
from dlpipe.report.schema import Report


def render_html(report: Report) -> str:
    """The text of `report.html`. Everything that comes from the model or a tool is escaped."""
    boxes, layout = view.nodes(report)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            headline=summary.headline(report),
            nodes=boxes,
            layout=layout,
            box=dag.BOX,
            losses=view.accuracy_chart(report),
            speedups=view.speedup_chart(report),
            fidelities=view.fidelity_rows(report),
            groups=view.groups(),
        )
    )


def load() -> None:
    """Compile the templates, so that a report to come finds them ready."""
    environment = _environment()
    for name in environment.list_templates():
        if name.endswith(".j2"):
            environment.get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dlpipe.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.globals.update(words=words, summary=summary, view=view)
    return environment


def _shown(value: Any) -> Any:
    """Control characters of hostile names never reach the page, escaped or not."""
    return words.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value

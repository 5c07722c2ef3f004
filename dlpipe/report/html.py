"""The report as one HTML file: no script, no network, no fonts of others. It forbids itself all of that by a policy."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from dlpipe.report import dag, looking, ranking, summary, tradeoff, view, words
from dlpipe.report.languages import ENGLISH, Language
from dlpipe.report.schema import Report


def render_html(report: Report, t: Language = ENGLISH) -> str:
    """The text of `report.html`. Everything that comes from the model or a tool is escaped."""
    boxes, layout = view.nodes(report)
    return template("report.html.j2").render(
        report=report,
        headline=summary.headline(report),
        nodes=boxes,
        layout=layout,
        box=dag.BOX,
        losses=view.accuracy_chart(report),
        speedups=view.speedup_chart(report),
        fidelities=view.fidelity_rows(report),
        t=t,
        looks=looking.looks(report),
        tradeoffs=tradeoff.tradeoffs(report),
        rankings=[
            (each, view.radar_of(each, t.code))
            for each in ranking.rank([report], ranking.default_weights())
            if sum(row.score is not None for row in each.rows) > 1
        ],
        columns=view.columns(report),
        groups=view.groups(),
        frameworks=view.framework_columns([report]),
        training_groups=view.training_groups(),
    )


def template(name: str) -> Template:
    """One of the folder's templates, in the environment that all pages share."""
    return _environment().get_template(name)


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

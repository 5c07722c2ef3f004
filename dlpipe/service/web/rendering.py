"""Templates to answers, under a policy that lets nothing in from elsewhere and no script that stands in the page."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup

from dlpipe.report import summary, words
from dlpipe.report.languages import Language
from dlpipe.service.web.languages import NAMES, chosen, script_texts
from dlpipe.service.web.visitor import Visitor

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",  # with "no-referrer", a form's request would not say its origin
    "Vary": "Cookie, Accept-Language",
}


def page(request: Request, name: str, visitor: Visitor | None = None, status: int = 200, **values: Any) -> Response:
    """`name`: of a template without its ending. Every template has t, visitor, and what `values` says."""
    t = visitor.t if visitor is not None else chosen(request)
    text = (
        _environment()
        .get_template(f"{name}.html.j2")
        .render(
            t=t, visitor=visitor, path=request.url.path, languages=NAMES, script_texts=script_texts(t.code), **values
        )
    )
    return HTMLResponse(text, status, HEADERS)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("dlpipe.service.web"), PrefixLoader({"report": PackageLoader("dlpipe.report")})]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.globals.update(words=words, summary=summary)
    environment.filters.update(took=took)
    return environment


def took(start: datetime | None, end: datetime | None, t: Language) -> str:
    """Between two times, to the second."""
    if start is None or end is None:
        return words.NOTHING
    seconds = max(0, round((end - start).total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return t("{hours} h {minutes} min", hours=hours, minutes=minutes)
    return (
        t("{minutes} min {seconds} s", minutes=minutes, seconds=seconds)
        if minutes
        else t("{seconds} s", seconds=seconds)
    )


def _shown(value: Any) -> Any:
    """Control characters of hostile names never reach the page, escaped or not."""
    return words.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value

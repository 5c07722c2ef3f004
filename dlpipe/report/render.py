"""The formats of `dlpipe report --format`, each a function from a report to text."""

from __future__ import annotations

from collections.abc import Callable

from dlpipe.report.html import render_html
from dlpipe.report.junit import render_junit
from dlpipe.report.markdown import render_markdown
from dlpipe.report.schema import Report

RENDERERS: dict[str, Callable[[Report], str]] = {
    "html": render_html,
    "md": render_markdown,
    "json": Report.to_json,
    "junit": render_junit,
}

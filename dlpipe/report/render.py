"""The formats of `dlpipe report --format`, each a function from a report to text."""

from __future__ import annotations

from collections.abc import Callable

from dlpipe.report.compression import Compression
from dlpipe.report.compression_html import render_compression_html
from dlpipe.report.html import render_html
from dlpipe.report.junit import render_junit
from dlpipe.report.markdown import render_markdown
from dlpipe.report.sarif import render_sarif
from dlpipe.report.schema import Report

RENDERERS: dict[str, Callable[[Report], str]] = {
    "html": render_html,
    "md": render_markdown,
    "json": Report.to_json,
    "junit": render_junit,
    "sarif": render_sarif,
}
COMPRESSION_RENDERERS: dict[str, Callable[[Compression], str]] = {
    "html": render_compression_html,
    "json": Compression.to_json,
}

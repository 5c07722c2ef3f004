"""Markdown, JUnit, and the table of formats."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import xmlschema
from rich.console import Console

from dlpipe.contracts.figure import Figure
from dlpipe.report import Note
from dlpipe.report.html import render_html
from dlpipe.report.junit import render_junit
from dlpipe.report.markdown import render_markdown
from dlpipe.report.render import RENDERERS
from dlpipe.report.terminal import render_terminal

from .factory import sample_report

HOSTILE = "</td><script>alert(1)</script> **x** | [a](b) `c` \x1b[2J & \x00"


def test_every_format_renders() -> None:
    assert set(RENDERERS) == {"html", "md", "json", "junit", "sarif"}
    assert json.loads(RENDERERS["json"](sample_report()))["run"] == "20261120-120000-1f2e"


def test_markdown_says_it_all() -> None:
    text = render_markdown(sample_report())
    for part in (
        "# Ready for arm64",
        "## Stages",
        "## Artefacts",
        "## Gates",
        "**failed**",
        "cos 0.9962",
        "## Reproduce",
    ):
        assert part in text
    width = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert width == {9, 7}


def test_markdown_of_hostile_names_is_only_text() -> None:
    report = sample_report()
    bad = report.artifacts[0].model_copy(update={"reason": HOSTILE, "backend": HOSTILE})
    text = render_markdown(report.model_copy(update={"artifacts": (bad,), "notes": (Note(message=HOSTILE),)}))
    assert "<script>" not in text
    assert "\\[a\\]" in text
    assert "\x1b" not in text
    assert "\\*\\*x" in text


def test_what_a_tool_estimates_of_its_artefact_is_shown_as_its_estimate() -> None:
    cycles = Figure(value=4208, unit="cycles", provenance="estimated", reason="estimated by vela 5.2")
    report = sample_report()
    with_it = report.artifacts[0].model_copy(update={"cost": {**report.artifacts[0].cost, "npu_cycles": cycles}})
    report = report.model_copy(update={"artifacts": (with_it, *report.artifacts[1:])})
    row = "| arm64 | onnxruntime int8 | npu cycles | 4,208 cycles | estimated | estimated by vela 5.2 |"
    assert row in render_markdown(report)
    page = render_html(report)
    assert "Npu cycles" in page
    assert page.index("4,208 cycles") < page.index("estimated by vela 5.2")
    out = io.StringIO()
    render_terminal(report, console=Console(file=out, width=80))
    assert "onnxruntime int8: npu cycles 4,208 cycles estimated [" in out.getvalue()
    assert "] estimated by vela 5.2" in out.getvalue()


def test_junit_counts() -> None:
    suites = {suite.get("name"): suite for suite in ElementTree.fromstring(render_junit(sample_report()))}
    counts = {name: (s.get("tests"), s.get("failures"), s.get("skipped")) for name, s in suites.items()}
    assert counts == {"stages": ("11", "1", "0"), "artefacts": ("5", "2", "1"), "gates": ("4", "1", "1")}
    case = suites["gates"].find("testcase[@name='max-latency']/skipped")
    assert case is not None
    assert "emulator" in (case.get("message") or "")


def test_junit_is_what_its_published_schema_says() -> None:
    schema = xmlschema.XMLSchema(str(Path(__file__).with_name("schemas") / "junit-10.xsd"))
    schema.validate(render_junit(sample_report()))


def test_junit_of_hostile_names_is_still_xml() -> None:
    report = sample_report()
    bad = report.artifacts[3].model_copy(update={"reason": HOSTILE + "\uffff\ud800"})
    ElementTree.fromstring(render_junit(report.model_copy(update={"artifacts": (bad,)})).encode())

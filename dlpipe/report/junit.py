"""The gates and verdicts as JUnit XML, which every CI system shows."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from dlpipe.report import words
from dlpipe.report.schema import Report


def render_junit(report: Report) -> str:
    """One case per stage, artefact and gate. What is unverified or was skipped is `skipped`, never passed."""
    suites = ElementTree.Element("testsuites", name="dlpipe")
    _suite(suites, "stages", [(s.kind, s.id, s.status, s.reason, s.seconds) for s in report.stages])
    artifacts = [(f"{a.target}.{a.backend}", a.path, a.verdict, a.reason, None) for a in report.artifacts]
    _suite(suites, "artefacts", artifacts)
    states = {True: "passed", False: "failed", None: "unverified"}
    _suite(suites, "gates", [(g.subject, g.name, states[g.passed], g.reason, None) for g in report.gates])
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _suite(
    parent: ElementTree.Element, title: str, cases: Sequence[tuple[str, str, str, str | None, float | None]]
) -> None:
    states = [state for _, _, state, _, _ in cases]
    suite = ElementTree.SubElement(parent, "testsuite", name=title, tests=str(len(cases)))
    suite.set("failures", str(states.count("failed")))
    suite.set("skipped", str(states.count("unverified") + states.count("skipped")))
    for group, name, state, reason, seconds in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=words.plain(group), name=words.plain(name))
        if seconds is not None:
            case.set("time", f"{seconds:.3f}")
        if state in ("failed", "unverified", "skipped"):
            kind = "failure" if state == "failed" else "skipped"
            ElementTree.SubElement(case, kind, message=words.plain(reason or state))

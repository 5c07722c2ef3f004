"""The gates and verdicts as JUnit XML, which every CI system shows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from xml.etree import ElementTree

from dlpipe.report import summary, words
from dlpipe.report.schema import Gate, Report

_Case = tuple[str, str, str, str | None, float | None]  # class, name, state, reason, seconds
_STATES = {True: "passed", False: "failed", None: "unverified"}


def render_junit(report: Report) -> str:
    """One case per stage, artefact and gate. What is unverified or was skipped is `skipped`, never passed."""
    artifacts = [(f"{a.target}.{a.backend}", a.path, a.verdict, a.reason, None) for a in report.artifacts]
    return _document(
        {
            "stages": [(s.kind, s.id, s.status, s.reason, s.seconds) for s in report.stages],
            "artefacts": artifacts,
            "gates": [(g.subject, g.name, _STATES[g.passed], summary.gate(g), None) for g in report.gates],
        }
    )


def render_gates(gates: Iterable[Gate], broken: Collection[Gate]) -> str:
    """Of `dlpipe gate`: one case per gate, a failure for each broken one."""
    cases = [
        (each.subject, each.name, "failed" if each in broken else _STATES[each.passed], summary.gate(each), None)
        for each in gates
    ]
    return _document({"gates": cases})


def _document(suites: dict[str, Sequence[_Case]]) -> str:
    root = ElementTree.Element("testsuites", name="dlpipe")
    for title, cases in suites.items():
        _suite(root, title, cases)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(parent: ElementTree.Element, title: str, cases: Sequence[_Case]) -> None:
    states = [state for _, _, state, _, _ in cases]
    suite = ElementTree.SubElement(parent, "testsuite", name=title, tests=str(len(cases)))
    suite.set("failures", str(states.count("failed")))
    suite.set("errors", "0")
    suite.set("skipped", str(states.count("unverified") + states.count("skipped")))
    for group, name, state, reason, seconds in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=words.plain(group), name=words.plain(name))
        if seconds is not None:
            case.set("time", f"{seconds:.3f}")
        if state in ("failed", "unverified", "skipped"):
            kind = "failure" if state == "failed" else "skipped"
            ElementTree.SubElement(case, kind, message=words.plain(reason or state))

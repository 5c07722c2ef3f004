"""The HTML report as text: complete, self-contained, and deaf to hostile names."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from dlpipe.contracts.figure import Figure
from dlpipe.report import Note, Report, Selected
from dlpipe.report.html import render_html
from dlpipe.report.indicators import indicators

from .factory import sample_report

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)></style></title>{{7*7}}\x1b[2J\u202e"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Tags, attributes, and whether every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def hostile() -> Report:
    report = sample_report()
    stage = report.stages[5].model_copy(
        update={"id": HOSTILE, "tool": HOSTILE, "reason": HOSTILE, "changes": {HOSTILE: HOSTILE}}
    )
    artifact = report.artifacts[0].model_copy(
        update={
            "backend": HOSTILE, "path": HOSTILE, "reason": HOSTILE, "files": {HOSTILE: 3}, "after": (HOSTILE,),
            "cost": {"latency_p50": Figure(value=1.0, unit="ms", provenance="measured", reason=HOSTILE)},
        }
    )  # fmt: skip
    source = report.source.model_copy(update={"path": HOSTILE, "preprocessing": (HOSTILE,)})
    return sample_report(
        stages=(stage,), artifacts=(artifact,), source=source, notes=(Note(message=HOSTILE),), command=HOSTILE,
        run=HOSTILE, selected={HOSTILE: Selected(path=HOSTILE, basis="unmeasured-speed", reason=HOSTILE)},
    )  # fmt: skip


def test_it_is_well_formed_and_complete() -> None:
    text = render_html(sample_report())
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    for part in (
        "Ready for arm64: onnxruntime int8",
        "cos 0.98",
        "93.75 %",
        "dlpipe convert DS_CNN_S.pb",
        "unverified",
    ):
        assert part in text
    for each in indicators():
        assert each.level3.zh in text
    targets = [attrs["href"][1:] for tag, attrs in page.tags if tag == "a" and attrs.get("href")]
    assert set(targets) <= set(page.ids)


def test_the_path_of_the_model_is_small_beside_its_name() -> None:
    source = sample_report().source.model_copy(update={"path": "/far/away/DS_CNN_S.pb"})
    text = render_html(sample_report(source=source))
    assert '<strong class="model">DS_CNN_S.pb</strong>' in text
    assert '<p class="path mono">/far/away/DS_CNN_S.pb</p>' in text
    assert '<p class="path mono">' not in render_html(sample_report())


def test_it_needs_nothing_from_outside() -> None:
    text = render_html(sample_report())
    page = Page(text)
    assert not {"script", "img", "iframe", "object", "embed", "form"} & {tag for tag, _ in page.tags}
    assert [attrs for tag, attrs in page.tags if tag == "link"] == [{"rel": "icon", "href": "data:,"}]
    assert "url(" not in text
    assert "@import" not in text
    assert not re.findall(r"https?://", text)
    assert "default-src 'none'" in text


def test_what_can_be_scrolled_can_be_reached_by_keyboard() -> None:
    page = Page(render_html(sample_report()))
    boxes = [attrs for _, attrs in page.tags if "scroll" in (attrs.get("class") or "").split()]
    assert len(boxes) >= 5
    assert all(
        attrs.get("tabindex") == "0" and attrs.get("role") == "region" and attrs.get("aria-label") for attrs in boxes
    )


def test_hostile_names_stay_text() -> None:
    text = render_html(hostile())
    page = Page(text)
    assert page.open == []
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "{{7*7}}" in text


def test_it_is_the_same_every_time() -> None:
    assert render_html(sample_report()) == render_html(sample_report())


def test_reports_with_holes_render() -> None:
    render_html(sample_report(stages=(), artifacts=(), gates=(), selected={}, notes=(), samples=None, environment=None))
    bare = tuple(
        each.model_copy(update={"fidelity": None, "accuracy": None, "speedups": (), "cost": {}, "seconds": None})
        for each in sample_report().stages
    )
    text = render_html(sample_report(stages=bare, artifacts=(), command=None, seconds=None))
    assert "Accuracy is unknown" in text
    assert "Nothing was timed" in text

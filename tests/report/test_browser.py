"""The HTML report in a real browser: no errors, no overflow, enough contrast, in light and dark."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlpipe.report.html import render_html
from dlpipe.report.languages import language
from dlpipe.report.ranking import default_weights, rank
from dlpipe.report.scorecard_html import render_scorecard
from tests.contrast import COLOURS

from .driven import Page, browser
from .factory import sample_report, views
from .test_html import hostile
from .test_ranking import made
from .test_ranking import report as ranked

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="not run: no Chromium here (apt-get install chromium)"),
]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--dump-dom",
)
# Chromium's window cannot be narrower than about 500 pixels; a frame can. It takes the colour scheme of what is around.
FRAME = """<!DOCTYPE html><style>:root {{ color-scheme: light dark }} iframe {{ border: 0 }}</style>
<body><iframe width="{width}" height="900" srcdoc="{page}"></iframe></body>"""
MEASURE = (
    "<script>"
    + COLOURS
    + """
addEventListener("load", () => {
  const low = [];
  let read = 0;
  for (const element of document.querySelectorAll("body *:not(title)")) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
    const drawn = element instanceof SVGElement;
    const box = drawn && element.closest("g")?.querySelector("rect.box");
    const ground = box ? numbers(getComputedStyle(box).fill) : behind(element);
    const [a, b] = [luminance(numbers(getComputedStyle(element)[drawn ? "fill" : "color"])), luminance(ground)];
    read += 1;
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) low.push(element.className + ": " + ratio.toFixed(2) + " " + element.textContent.slice(0, 30));
  }
  const result = document.createElement("pre");
  result.id = "measured";
  result.textContent = JSON.stringify({
    width: innerWidth, content: document.documentElement.scrollWidth, low, read,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
  });
  parent.document.body.append(result);
});
</script>"""
)


def scorecard() -> str:
    found = ranked(made("tvm", 2.0, 100), made("ncnn", 1.0, 400))
    return render_scorecard([found], rank([found], default_weights()), language("en"))


PAGES = {
    "sample": lambda: render_html(sample_report(views=views())),
    "hostile": lambda: render_html(hostile()),
    "chinese": lambda: render_html(sample_report(views=views()), language("zh")),
    "scorecard": scorecard,
}


def browse(tmp_path: Path, text: str, *flags: str) -> tuple[str, list[str]]:
    """The page's DOM, and the lines of the browser's console."""
    assert CHROMIUM is not None
    page = tmp_path / "report.html"
    page.write_text(text, encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *flags, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, re.findall(r".*CONSOLE.*", done.stderr)


def test_no_errors_and_nothing_blocked(tmp_path: Path) -> None:
    dom, console = browse(tmp_path, render_html(sample_report()))
    assert "Ready for arm64" in dom
    assert console == []  # its own policy blocks every request, and would say so here


def test_hostile_names_run_nothing(tmp_path: Path) -> None:
    text = render_html(hostile())
    without_policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert without_policy != text
    dom, console = browse(tmp_path, without_policy)
    assert console == []
    assert "<script" not in dom


def measure(tmp_path: Path, page: str, *, width: int, dark: bool) -> dict[str, Any]:
    """What MEASURE finds of a page with all that folds open, in a frame of that width. Its console must stay empty."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    text = re.sub(r"<details( class=\"[^\"]*\")?>", r"<details\1 open>", text).replace("</body>", MEASURE + "</body>")
    framed = FRAME.format(width=width, page=html.escape(text))
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    dom, console = browse(tmp_path, framed, "--window-size=1500,1000", scheme)
    measured = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.DOTALL)
    assert measured is not None
    assert console == []
    found: dict[str, Any] = json.loads(html.unescape(measured.group(1)))
    return found


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("page", ["sample", "hostile", "chinese", "scorecard"])
def test_it_fits_and_can_be_read(tmp_path: Path, width: int, dark: bool, page: str) -> None:
    found = measure(tmp_path, PAGES[page](), width=width, dark=dark)
    assert found["width"] == width
    assert found["dark"] is dark
    assert found["content"] <= width
    assert found["low"] == []
    assert found["read"] > 100


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_too_pale_or_too_wide_is_caught(tmp_path: Path, dark: bool) -> None:
    colour = "#777" if dark else "#999"
    bad = f'<p style="color: {colour}">pale</p><p style="width: 500px">wide</p></main>'
    found = measure(tmp_path, PAGES["sample"]().replace("</main>", bad), width=400, dark=dark)
    assert len(found["low"]) == 1
    assert found["low"][0].endswith("pale")
    assert found["content"] > 400


FOCUSED = """(() => {
  const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
  return {tag: at.tagName, text: at.textContent.trim().slice(0, 40), label: at.getAttribute("aria-label"),
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    hash: location.hash, scrolled: at.scrollLeft};
})()"""
REACHABLE = """[...document.querySelectorAll("a[href], summary, [tabindex='0']")].filter(
  each => !each.parentElement.closest("details:not([open])") || each.tagName === "SUMMARY"
    && !each.closest("details").parentElement.closest("details:not([open])")).length"""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    assert CHROMIUM is not None
    file = tmp_path / "report.html"
    file.write_text(render_html(sample_report(views=views())), encoding="utf-8")
    flags = [
        *FLAGS[:-2],
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=500,800",
        "--force-prefers-reduced-motion",
    ]
    with browser(CHROMIUM, flags) as driven:
        driven.open(file)
        yield driven


def test_all_can_be_reached_and_seen_with_the_keyboard_alone(page: Page) -> None:
    page.press("Tab", code=9)
    first = page.value(FOCUSED)
    assert (first["tag"], first["text"], first["seen"]) == ("A", "Skip to the results", True)
    count = page.value(REACHABLE)
    assert count > 20
    stops = [first]
    for _ in range(count - 1):
        page.press("Tab", code=9)
        stops.append(page.value(FOCUSED))
    assert [each for each in stops if not each["seen"] or each["outline"] < 2] == []
    assert len({(each["tag"], each["text"], each["label"]) for each in stops}) > 15
    page.press("Tab", code=9)
    assert page.value(FOCUSED)["tag"] == "BODY"  # no trap: behind the last one is the end


def test_keys_skip_open_and_scroll(page: Page) -> None:
    page.press("Tab", code=9)
    page.press("Enter", code=13)
    assert page.value("location.hash") == "#main"
    page.value("document.querySelector('#pipeline summary').focus()")
    page.press("Enter", code=13)
    assert page.value("document.querySelector('#pipeline details').open") is True
    page.value("document.querySelector('#pipeline details .scroll').focus()")
    for _ in range(5):
        page.press("ArrowRight", code=39)
    scrolled = "new Promise(done => setTimeout(() => done(document.activeElement.scrollLeft), 400))"
    found = page.send("Runtime.evaluate", expression=scrolled, awaitPromise=True, returnByValue=True)
    assert found["result"]["value"] > 0  # the wide table, in a window of 500 pixels

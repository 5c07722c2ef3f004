"""The HTML report in a real browser: no errors, no overflow, enough contrast, in light and dark."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dlpipe.report import Report
from dlpipe.report.html import render_html

from .factory import sample_report
from .test_html import hostile

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
MEASURE = """<script>
const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
const numbers = text => text.match(/[\\d.]+/g).map(Number);
const behind = element => {
  for (let at = element; at; at = at.parentElement) {
    const color = numbers(getComputedStyle(at).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
addEventListener("load", () => {
  const low = [];
  for (const element of document.querySelectorAll("body *:not(svg *)")) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
    const [a, b] = [luminance(numbers(getComputedStyle(element).color)), luminance(behind(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) low.push(element.className + ": " + ratio.toFixed(2) + " " + element.textContent.slice(0, 30));
  }
  const result = document.createElement("pre");
  result.id = "measured";
  result.textContent = JSON.stringify({
    width: innerWidth, content: document.documentElement.scrollWidth, low,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
  });
  parent.document.body.append(result);
});
</script>"""


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


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("report", [sample_report(), hostile()], ids=["sample", "hostile"])
def test_it_fits_and_can_be_read(tmp_path: Path, width: int, dark: bool, report: Report) -> None:
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", render_html(report))
    text = text.replace("<details>", "<details open>").replace("</body>", MEASURE + "</body>")
    framed = FRAME.format(width=width, page=html.escape(text))
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    dom, console = browse(tmp_path, framed, "--window-size=1500,1000", scheme)
    measured = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.DOTALL)
    assert measured is not None
    found: dict[str, Any] = json.loads(html.unescape(measured.group(1)))
    assert console == []
    assert found["width"] == width
    assert found["dark"] is dark
    assert found["content"] <= width
    assert found["low"] == []

"""Every text of the pages has its Chinese, and nothing of the figures is lost in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dlpipe.report
from dlpipe.errors import UserError
from dlpipe.report.html import render_html
from dlpipe.report.languages import language

from .factory import sample_report, views

REPORT = Path(dlpipe.report.__file__).parent
TEXTS = {
    text
    for file in [*REPORT.glob("templates/*.j2"), REPORT / "scorecard_html.py"]
    for text in re.findall(r'\bt\("((?:[^"\\]|\\.)*)"', file.read_text(encoding="utf-8"))
}


def test_every_text_has_its_chinese_with_the_same_gaps() -> None:
    chinese = language("zh").texts
    assert len(TEXTS) > 80
    assert sorted(TEXTS - set(chinese)) == []
    for text, said in chinese.items():
        assert set(re.findall(r"\{\w*\}", text)) == set(re.findall(r"\{\w*\}", said)), text


def test_the_report_in_chinese_has_the_figures_of_the_english_one() -> None:
    report = sample_report(views=views())
    english, chinese = render_html(report), render_html(report, language("zh"))
    assert '<html lang="zh">' in chinese
    assert "可交付： arm64" in chinese
    for heading in ("流水线", "制品", "保真度", "门限", "记分卡", "模型内部"):
        assert heading in chinese
    assert "Stages as a table" not in chinese
    figures = r">\s*(-?[\d.]+(?: (?:pt|ms|kB|MB|%))?|[\d.]+×)\s*<"
    assert sorted(re.findall(figures, english)) == sorted(re.findall(figures, chinese))


def test_there_are_two_languages() -> None:
    with pytest.raises(UserError, match="en, zh"):
        language("de")

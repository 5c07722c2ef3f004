"""Every text of the pages has its Chinese, and nothing of the figures is lost in it."""

from __future__ import annotations

import io
import re
import tomllib
from pathlib import Path

import pytest
from rich.console import Console

import dlpipe.report
from dlpipe.errors import UserError
from dlpipe.report.html import render_html
from dlpipe.report.languages import language
from dlpipe.report.terminal import render_terminal

from .factory import sample_report, views

REPORT = Path(dlpipe.report.__file__).parent
TEXTS = {
    text
    for file in [*REPORT.glob("templates/*.j2"), *REPORT.glob("*.py"), REPORT.parent / "cli" / "select.py"]
    for text in re.findall(r'\bt\("((?:[^"\\]|\\.)*)"', file.read_text(encoding="utf-8"))
}
CHINESE = tomllib.loads((REPORT / "zh.toml").read_text(encoding="utf-8"))


def test_every_text_has_its_chinese_with_the_same_gaps() -> None:
    chinese = language("zh").texts
    assert len(TEXTS) > 80
    assert sorted(TEXTS - set(chinese)) == []
    for text, said in {**chinese, **CHINESE["sentences"]}.items():
        assert set(re.findall(r"\{\w*\}", text)) == set(re.findall(r"\{\w*\}", said)), text


def test_every_sentence_is_still_said_somewhere() -> None:
    """A reason that was reworded would stay English, and nobody would see it: its words are looked for in the code."""
    code = "\n".join(
        file.read_text(encoding="utf-8")
        for kind in ("*.py", "*.toml", "*.j2")
        for file in REPORT.parent.rglob(kind)
        if file.name != "zh.toml"
    )
    literals = {text: max(re.split(r"\{\w+\}|, ", text), key=len).strip(" ,;:·") for text in CHINESE["sentences"]}
    lost = [text for text, literal in literals.items() if literal not in code]
    assert lost == []


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


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("took 83.4 s", "用时 83.4 s"),
        (
            "ran, but wrong: prob: max_rel 0.03 breaks its limit 0.01",
            "已运行，但结果错误：prob：max_rel 0.03 超出限值 0.01",
        ),
        ("ruled out by pre-flight: no Unique", "预检已排除：no Unique"),
        ("top-1, 400 samples", "top-1，400 个样本"),
        ("smallest of 3 that passed; no timings from the target itself", "通过验证的 3 个中最小；没有目标机上的计时"),
        (
            "against the original, 95 % interval 1.20 to 3.30; too noisy to say",
            "对照 原模型，95 % 置信区间 1.20 至 3.30；噪声过大，无法判断",
        ),
        ("failed · not made", "失败 · 未生成"),
        ("of of of of", "of of of of"),
        ("ran, but wrong: ", "ran, but wrong: "),
        ("failed: " * 3000 + "x", "失败：" * 4 + "failed: " * 2996 + "x"),
        ("what a tool says: {stays}", "what a tool says: {stays}"),
    ],
)
def test_what_a_report_holds_is_said_too(english: str, chinese: str) -> None:
    assert language("zh").said(english) == chinese
    assert language("en").said(english) == english


def test_no_name_is_taken_for_a_word() -> None:
    """A layer may be called "size", and a tool "run"."""
    assert language("zh").said("size: max_rel 1 breaks its limit 0") == "size：max_rel 1 超出限值 0"
    assert language("zh").said("run · cached") == "run · 来自缓存"


def test_the_text_of_a_terminal_in_chinese() -> None:
    texts = {}
    for code in ("en", "zh"):
        out = Console(file=io.StringIO(), width=100, color_system=None)
        render_terminal(sample_report(), console=out, t=language(code))
        texts[code] = out.file.getvalue()
    assert "可交付： arm64" in texts["zh"]
    for said in ("阶段", "arm64 的制品", "结论", "通过", "限值", "误差"):
        assert said in texts["zh"]
    for word in ("verdict", "speed-up", "Selected for", "compared with"):
        assert word in texts["en"]
        assert word not in texts["zh"]
    figures = r"\d+\.\d+"
    assert sorted(re.findall(figures, texts["en"])) == sorted(re.findall(figures, texts["zh"]))


def test_there_are_two_languages() -> None:
    with pytest.raises(UserError, match="en, zh"):
        language("de")

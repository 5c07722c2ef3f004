"""Every text of the pages has its Chinese, with the same gaps, and none is left over."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

import dlpipe.report
import dlpipe.service.web
from dlpipe.service.api.catalogue import ToolchainState
from dlpipe.service.farm.boards import Health as BoardHealth
from dlpipe.service.progress import StageState
from dlpipe.service.web.administration import TokenState
from dlpipe.service.web.jobs import STATES
from dlpipe.service.web.languages import language, preferred

WEB = Path(dlpipe.service.web.__file__).parent
SAID_BY_CODE = {
    *STATES,
    *get_args(StageState),
    *get_args(ToolchainState),
    *get_args(BoardHealth),
    *get_args(TokenState),
    "alive",
    "refused",
}
REFUSALS = {
    "there is no such job",
    "there is no such page",
    "too often a token of nobody's came from this address",
}


def test_every_text_has_its_chinese_and_none_is_left_over() -> None:
    files = [*WEB.glob("templates/*.j2"), *WEB.glob("*.py"), *WEB.glob("static/*.js")]
    texts = {
        text for file in files for text in re.findall(r'\bt\(\s*"((?:[^"\\]|\\.)*)"', file.read_text(encoding="utf-8"))
    }
    assert len(texts) > 100
    own = tomllib.loads((WEB / "zh.toml").read_text(encoding="utf-8"))
    assert sorted((texts | SAID_BY_CODE) - set(language("zh").texts)) == []
    assert sorted(set(own) - texts - SAID_BY_CODE - REFUSALS) == []
    for text, said in own.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", said)), text


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("de,fr;q=0.9,zh;q=0.2,en;q=0.1", "zh"),
        ("zh;q=0,en;q=0.1", "en"),
        ("zh;q=nonsense,*", "en"),
    ],
)
def test_the_browsers_preference_counts(header: str, code: str) -> None:
    assert preferred(header) == code

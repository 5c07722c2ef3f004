"""English or Chinese: what the visitor chose, else what the browser prefers."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from fastapi import Request

from dlpipe.report.languages import ENGLISH, LANGUAGES, Language
from dlpipe.report.languages import language as report_language

COOKIE = "dlpipe-language"
NAMES = {"en": "English", "zh": "中文"}


@cache
def language(code: str) -> Language:
    """With the report's texts too: the pages show what it says. `code`: one of LANGUAGES."""
    if code == "en":
        return ENGLISH
    own = tomllib.loads(Path(__file__).with_name(f"{code}.toml").read_text(encoding="utf-8"))
    report = report_language(code)
    return Language(code, {**report.texts, **own}, report.sentences)


@cache
def script_texts(code: str) -> dict[str, str]:
    """Those that scripts may show."""
    if code == "en":
        return {}
    return dict(tomllib.loads(Path(__file__).with_name(f"{code}.toml").read_text(encoding="utf-8")))


def chosen(request: Request) -> Language:
    wish = request.cookies.get(COOKIE)
    return language(wish if wish in LANGUAGES else preferred(request.headers.get("accept-language", "")))


def preferred(header: str) -> str:
    """The first of ours by its weight, RFC 9110; "en" where none is wanted."""
    wanted: list[tuple[float, str]] = []
    for each in header.split(","):
        name, _, weight = each.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), name.partition("-")[0].lower()))
        except ValueError:
            continue
    return next(
        (name for weight, name in sorted(wanted, key=lambda each: each[0]) if name in LANGUAGES and weight), "en"
    )

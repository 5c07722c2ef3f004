"""Headings and labels in the reader's language. What tools say stays as they say it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from dlpipe.errors import UserError

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Language:
    """Called with an English text, gives the same in this language; what has no translation stays English."""

    code: str
    texts: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, text: str, **values: Any) -> str:
        said = self.texts.get(text, text)
        return said.format(**values) if values else said


ENGLISH = Language("en")


@cache
def language(code: str) -> Language:
    """Raises UserError for one that there is not."""
    if code not in LANGUAGES:
        raise UserError(f"--lang {code!r} is none of {', '.join(LANGUAGES)}")
    if code == "en":
        return ENGLISH
    texts = tomllib.loads((Path(__file__).with_name(f"{code}.toml")).read_text(encoding="utf-8"))
    return Language(code, texts)

"""What dlpipe itself says, in the reader's language. What tools say stays as they say it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

from dlpipe.errors import UserError

LANGUAGES = ("en", "zh")


_DEEPEST = 4
_SPOKEN = ("why", "what")  # gaps that hold a text of dlpipe's; any other holds a figure or a name


@dataclass(frozen=True, slots=True)
class Sentence:
    """One with gaps. literals: what stands before, between and after them in English; target: the translation."""

    literals: tuple[str, ...]
    names: tuple[str, ...]
    target: str

    @classmethod
    def of(cls, english: str, target: str) -> Sentence:
        parts = list(Formatter().parse(english))
        names = tuple(name for _, name, _, _ in parts if name)
        literals = tuple(literal for literal, _, _, _ in parts)
        return cls(literals if len(literals) > len(names) else (*literals, ""), names, target)

    def vagueness(self) -> tuple[bool, int]:
        """Those that begin with words of their own come first, and of them the longest."""
        return not self.literals[0], -sum(map(len, self.literals))

    def gaps(self, text: str) -> dict[str, str] | None:
        """What fills them; None where it is another sentence. Each ends where what follows it begins first: no text
        takes longer than its length."""
        first, *others = self.literals
        if not text.startswith(first):
            return None
        place, found = len(first), []
        for literal in others[:-1]:
            end = text.find(literal, place + 1)
            if end < 0:
                return None
            found.append(text[place:end])
            place = end + len(literal)
        end = len(text) - len(others[-1])
        if end <= place or not text.endswith(others[-1]):
            return None
        return dict(zip(self.names, [*found, text[place:end]], strict=True))


@dataclass(frozen=True, slots=True)
class Language:
    """Called with an English text, gives the same in this language; what has no translation stays English."""

    code: str
    texts: Mapping[str, str] = field(default_factory=dict)
    sentences: tuple[Sentence, ...] = ()

    def __call__(self, text: str, **values: Any) -> str:
        said = self.texts.get(text, text)
        return said.format(**values) if values else said

    def said(self, text: str, depth: int = _DEEPEST) -> str:
        """The same for a sentence that was put together before, as a report holds it: verdicts and reasons. Of several
        that a semicolon joins each by itself. depth: of sentences in sentences, which a hostile name may imitate."""
        parts = text.split("; ")
        if len(parts) > 1:
            said = [self.said(each, depth) for each in parts]
            return "；".join(said) if said != parts else text
        if text in self.texts:
            return self.texts[text]
        for sentence in self.sentences if depth else ():
            gaps = sentence.gaps(text)
            if gaps is not None:
                return sentence.target.format(
                    **{key: self.said(each, depth - 1) if key in _SPOKEN else each for key, each in gaps.items()}
                )
        return text


ENGLISH = Language("en")


@cache
def language(code: str) -> Language:
    """Raises UserError for one that there is not."""
    if code not in LANGUAGES:
        raise UserError(f"--lang {code!r} is none of {', '.join(LANGUAGES)}")
    if code == "en":
        return ENGLISH
    texts = tomllib.loads((Path(__file__).with_name(f"{code}.toml")).read_text(encoding="utf-8"))
    sentences = [Sentence.of(*pair) for pair in texts.pop("sentences").items()]
    return Language(code, texts, tuple(sorted(sentences, key=Sentence.vagueness)))

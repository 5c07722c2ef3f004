"""The operators that are converted: a table filled by the files that hold the conversions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .converter import Converter
    from .nets import Operator

Convert = Callable[["Converter", "Operator"], None]


@dataclass(frozen=True)
class Entry:
    """`note`: what of the operator is left out; empty where all of it is converted."""

    convert: Convert
    note: str = ""


OPERATORS: dict[str, Entry] = {}


def converts(*types: str, note: str = "") -> Callable[[Convert], Convert]:
    """Mark a function as the conversion of these operator types."""

    def enter(function: Convert) -> Convert:
        for each in types:
            OPERATORS[each] = Entry(function, note)
        return function

    return enter

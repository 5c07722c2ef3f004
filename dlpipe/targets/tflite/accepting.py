"""Host side: what can be told of a model before it is lowered to TFLite.

`operators.json` is what `lowering.supported()` says (a test holds it to that).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal
from dlpipe.targets import preflight
from dlpipe.targets.lowering import written_out

OPERATORS = Path(__file__).with_name("operators.json")
_WRITTEN_OUT = ("Attention", "RotaryEmbedding")


def lowering(model: Mapping[str, Any]) -> tuple[Lowering, ...]:
    """The graph has no loops, and of attention no operator."""
    return written_out(model, _WRITTEN_OUT)


def refusals(model: Mapping[str, Any]) -> list[Refusal]:
    """By operator. `model` is what the describe operation says of the IR."""
    return list(preflight.unknown_operators(model, _known(), "{} is not translated to TFLite"))


@cache
def _known() -> frozenset[str]:
    return frozenset(json.loads(OPERATORS.read_text(encoding="utf-8"))["operators"])

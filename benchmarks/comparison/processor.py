"""How this machine's kernels want integers, by what its processor says of itself: everybody is set up for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.targets.registry import here

_NARROW = "int7"
_SAID = {
    _NARROW: "no VNNI: its kernels add two products of uint8 and int8 in 16 bits, which 8-bit weights overflow. dlpipe"
    " and, where they have a setting for it, the others keep weights within 7 bits (`reduce_range` of ONNX Runtime and"
    " Olive; NNCF's `overflow_fix` as it comes, and for all layers); ONNX Runtime's with 8 bits is tried too",
    "int8": "everybody has all 8 bits of weights",
}


def integers() -> dict[str, Any]:
    """{"target": dlpipe's name for this processor, "options": of quantisation}; none where no target is for it."""
    target = here()
    options = target.options.get("quantisation", {}) if target else {}
    return {"target": target.name if target else "", "options": dict(options)}


def narrow(options: Mapping[str, Any]) -> bool:
    """Whether weights stay within 7 bits."""
    return options.get("weights") == _NARROW


def said(record: Mapping[str, Any]) -> str:
    """Of a model's record: which setting, and why. Older ones, which do not say, are of 8-bit weights."""
    found: Mapping[str, Any] = record.get("integers", {})
    text = _SAID[found.get("options", {}).get("weights", "int8")]
    return f"`{found['target']}`, {text}" if found.get("target") else text

"""How figures are written in docs/passes.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dlpipe.errors import DlpipeError

_MOST_LETTERS = 160
BACKENDS = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
COMPRESS = "dlpipe compress"


def named_on(ours: str, backend: str) -> str:
    """The candidate that it is on that backend: `compress` is told what it compiles for."""
    return f"{ours} for {BACKENDS[backend]}" if ours == COMPRESS else ours


def half(figure: Mapping[str, float]) -> float:
    """Half of an interval's width."""
    return (figure["high"] - figure["low"]) / 2


def points(found: Mapping[str, Any]) -> str:
    """Of a candidate on a backend, or a dash."""
    return f"{found['lost']['value']:.2f}±{half(found['lost']):.2f}" if "lost" in found else "-"


def times(found: Mapping[str, Any]) -> str:
    return f"{found['faster']['value']:.2f}±{half(found['faster']):.2f}" if "faster" in found else "-"


def telling(error: DlpipeError) -> str:
    """The first line that says what happened: OpenVINO begins with places in its own source, each with a colon."""
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    kept = [line for line in lines if not line.endswith(":")] or lines
    text = kept[0].replace("|", "/").partition(" node with name ")[0]  # so that models that fail alike stand together
    return text if len(text) <= _MOST_LETTERS else text[:_MOST_LETTERS] + "..."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Markdown; all columns but the first are figures, and stand to the right."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]

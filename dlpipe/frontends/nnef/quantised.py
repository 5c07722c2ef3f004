"""graph.quant: which tensors are quantised, and how."""

from __future__ import annotations

from functools import partial

from dlpipe_worker import Refused

from .evaluating import Evaluator
from .expressions import Node
from .packed import QUANTISATION, Files
from .signatures import STANDARD
from .syntax import Document, parse_quantisation


def follow_quantisation(evaluator: Evaluator, document: Document, files: Files) -> None:
    """Every tensor that it names is quantised where it is made. Raises Refused for a name that the graph has not."""
    if QUANTISATION not in files:
        return
    assigned = {name for target, _ in document.graph.body or [] for name in _names(target)}
    for name, call in parse_quantisation(files.read(QUANTISATION)).items():
        if name not in assigned:
            raise Refused(f"{QUANTISATION} quantises {name!r}, which the graph does not have", node=name)
        if call[0] != "call" or call[1] not in STANDARD or not call[1].endswith("_quantize") or call[3]:
            raise Refused(
                f"{QUANTISATION} quantises {name!r} by what is no quantisation of the standard",
                "unsupported",
                node=name,
            )
        evaluator.after[name] = partial(evaluator.quantised, name, call)


def _names(target: Node) -> list[str]:
    return [target[1]] if target[0] == "name" else [name for each in target[1] for name in _names(each)]

"""What QNN's plug-in says, in its log, of the nodes that it does not take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_UNIT = re.compile(
    r"Validation FAILED for \d+ nodes in OrtNodeUnit \((\w+)\) :\s*\n((?:\s+Operator type: .*\n)+)(?:\s+REASON : (.*))?"
)
_NODE = re.compile(r"Operator type: (\w+) Node name: (.*) Node index: ")
_QUANTISERS = ("QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True, slots=True)
class Untaken:
    """A node; why, where the plug-in says so."""

    node: str
    op: str
    reason: str

    def __str__(self) -> str:
        return f"{self.node or 'a node without a name'} ({self.op}{': ' if self.reason else ''}{self.reason})"


def untaken(log: str) -> list[Untaken]:
    """Each once, those that compute before the quantisers around them."""
    found = {(each.node, each.op): each for each in _units(log)}
    computing = [each for each in found.values() if each.op not in _QUANTISERS]
    return computing or list(found.values())


def _units(log: str) -> Iterator[Untaken]:
    for op, nodes, reason in _UNIT.findall(log):
        named = [name for kind, name in _NODE.findall(nodes) if kind == op]
        yield Untaken(named[0] if named else "", op, reason.split(".")[0].strip())


def telling(log: str) -> str:
    """The log without its remarks."""
    return "".join(line + "\n" for line in log.splitlines() if not re.search(r"\[[VI]:onnxruntime", line))

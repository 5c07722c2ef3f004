"""The graph of a *-symbol.json, of any version since 0.5, brought to one form.

What older files leave out, MXNet itself adds when it loads them; the same is done here: running statistics as inputs
of BatchNorm (before 0.9), and argmax without an axis where it was written as -1 (before 0.9.5).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

MAX_BYTES = 256 << 20
MAX_NODES = 1 << 18
UNSTATED = 800  # the version of files that do not say theirs

Entry = tuple[int, int]  # node id, output index


@dataclass(frozen=True)
class Node:
    """A layer, or (op "null") a variable."""

    name: str
    op: str
    attributes: dict[str, str]
    inputs: tuple[Entry, ...]


@dataclass(frozen=True)
class Symbol:
    """`nodes` stand in an order in which they can be computed. version: 10901 is 1.9.1."""

    nodes: tuple[Node, ...]
    heads: tuple[Entry, ...]
    version: int

    @property
    def variables(self) -> list[str]:
        return [node.name for node in self.nodes if node.op == "null"]

    def plain(self) -> list[dict[str, Any]]:
        """For `naming`."""
        return [{"name": node.name, "op": node.op} for node in self.nodes]


def read(path: Path) -> Symbol:
    """Raises Refused for anything that is not a whole, well-formed symbol."""
    if path.stat().st_size > MAX_BYTES:
        raise Refused(f"{path.name} is larger than any MXNet symbol")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path.name} is not JSON, or is damaged or cut off: {str(error)[:100]}") from error
    if not isinstance(found, dict) or not isinstance(found.get("nodes"), list):
        raise Refused(f"{path.name} is no MXNet symbol: it has no list of nodes")
    if len(found["nodes"]) > MAX_NODES:
        raise Refused(f"{path.name} has {len(found['nodes']):,} nodes")
    version = _version(found)
    nodes: list[Node] = []
    ids: list[int] = []  # id in the file -> id here: variables that the file leaves out come in between
    for number, each in enumerate(found["nodes"]):
        node = _node(each, number, ids)
        if node.op in ("BatchNorm", "BatchNorm_v1", "CuDNNBatchNorm") and len(node.inputs) == 3:
            added = []
            for statistic in ("moving_mean", "moving_var"):
                added.append((len(nodes), 0))
                nodes.append(Node(f"{node.name}_{statistic}", "null", {}, ()))
            node = Node(node.name, node.op, node.attributes, (*node.inputs, *added))
        if version < 905 and node.op in ("argmax", "argmin") and node.attributes.get("axis") == "-1":
            kept = {key: value for key, value in node.attributes.items() if key != "axis"}
            node = Node(node.name, node.op, kept, node.inputs)
        ids.append(len(nodes))
        nodes.append(node)
    heads = found.get("heads")
    if not isinstance(heads, list) or not heads:
        raise Refused(f"{path.name} is no MXNet symbol: it has no heads (outputs)")
    return Symbol(tuple(nodes), tuple(_entry(head, ids, "an output") for head in heads), version)


def _version(found: dict[str, Any]) -> int:
    attributes = found.get("attrs")
    stated = attributes.get("mxnet_version") if isinstance(attributes, dict) else None
    if isinstance(stated, list) and len(stated) == 2 and isinstance(stated[1], int):
        return stated[1]
    return UNSTATED


def _node(found: Any, number: int, ids: list[int]) -> Node:
    if not isinstance(found, dict):
        raise Refused(f"node {number} of the symbol is not an object")
    op, name, inputs = found.get("op"), found.get("name"), found.get("inputs")
    if not isinstance(op, str) or not isinstance(name, str) or not isinstance(inputs, list):
        raise Refused(f"node {number} of the symbol lacks its operator, name or inputs")
    if found.get("subgraphs"):
        raise Refused("control flow (foreach, while_loop, cond) is not supported", "unsupported", node=name, op=op)
    attributes: dict[str, str] = {}
    # 0.5 to 0.9: "param" are the operator's, "attr" the user's; then all in "attr"; since 1.0 in "attrs".
    own = found.get("param") or {}
    for key in ("param", "attr", "attrs"):
        values = found.get(key) or {}
        if not isinstance(values, dict):
            raise Refused(f"the {key} of a node are not an object", node=name, op=op)
        for each, value in values.items():
            if not isinstance(value, (str, int, float, bool)):
                raise Refused(f"attribute {each!r} is not text", node=name, op=op)
            attributes[f"__{each.strip('_')}__" if key == "attr" and own else each] = str(value)
    for key in ("ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage"):
        attributes.pop(key, None)  # hints for training
    if op != "null":
        attributes = {key: value for key, value in attributes.items() if not key.endswith(("_lr_mult", "_wd_mult"))}
    return Node(name, op, attributes, tuple(_entry(each, ids, f"node {name!r}") for each in inputs))


def _entry(found: Any, ids: list[int], who: str) -> Entry:
    if not isinstance(found, list) or len(found) not in (2, 3) or not all(isinstance(each, int) for each in found):
        raise Refused(f"{who} of the symbol refers to something that is no [node, output]")
    node, index = found[0], found[1]
    if not 0 <= node < len(ids) or not 0 <= index < 1 << 16:
        raise Refused(f"{who} of the symbol refers to node {node}, which does not come before it")
    return ids[node], index

"""In which order the nodes of a network can be computed, over which frames, and how wide they are.

An output is wanted for every frame t of [0, T). A node's span (first, last) says that it is computed for the frames
[first, T - 1 + last]: what offsets ask for. Nodes that read each other over time form a group that runs as a loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dlpipe_worker import Refused

from . import components, statistics
from .components import Function
from .nnet import Expression, Net, Node

_LARGEST_LOOP = 200  # nodes
_LONGEST_CONTEXT = 10_000  # frames


@dataclass(frozen=True)
class Read:
    node: str
    offset: int
    optional: bool  # IfDefined: zero where the frame is not computed
    fixed: bool  # ReplaceIndex: one frame for all


def reads(
    expression: Expression | None, offset: int = 0, optional: bool = False, fixed: bool = False
) -> Iterator[Read]:
    if expression is None:
        return
    if expression.op == "node":
        yield Read(expression.name, offset, optional, fixed)
    if expression.op == "failover":
        raise Refused("the descriptor Failover is not handled", kind="unsupported", op="Failover")
    shift = int(expression.number) if expression.op == "offset" else 0
    for part in expression.parts:
        yield from reads(
            part, offset + shift, optional or expression.op == "defined", fixed or expression.op in ("replace", "round")
        )


@dataclass
class Schedule:
    """`groups` in an order in which they can be computed. `steady`: nodes that are the same for all frames."""

    net: Net
    groups: list[list[str]] = field(default_factory=list)
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    dims: dict[str, int] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    steady: set[str] = field(default_factory=set)

    @property
    def pools(self) -> bool:
        """Whether the network pools over the whole utterance: it then takes the frames that there are, and no more."""
        return any(statistics.pools(node) for node in self.net.nodes.values())

    def loops(self, group: list[str]) -> bool:
        return len(group) > 1 or any(read.node == group[0] for read in reads(self.net.nodes[group[0]].reads))

    def times(self, node: Node) -> tuple[int, ...]:
        return components.times(node.component) if node.component is not None else (0,)


def plan(net: Net) -> Schedule:
    """Raises Refused for what cannot be computed."""
    schedule = Schedule(net, _order(net))
    schedule.steady.update(_of_one_row(net))
    for group in schedule.groups:
        if len(group) > _LARGEST_LOOP:
            raise Refused(f"a loop of {len(group)} nodes is too large", kind="unsupported", node=group[0])
        for name in group:
            _steady(schedule, net.nodes[name])
            _dim(schedule, name, [])
    _check_widths(schedule)
    _check_windows(schedule)
    _spans(schedule)
    return schedule


def _of_one_row(net: Net) -> set[str]:
    """Inputs that are read at a fixed time (ivectors). Raises Refused for one that is read frame by frame as well."""
    fixed: set[str] = set()
    moving: set[str] = set()
    for node in net.nodes.values():
        for name, replaced in _times_read(node.reads, False):
            if net.nodes[name].kind == "input":
                (fixed if replaced else moving).add(name)
    for name in sorted(fixed & moving):
        raise Refused("it is read for each frame, and for one frame only", kind="unsupported", node=name)
    return fixed


def _times_read(expression: Expression | None, replaced: bool) -> Iterator[tuple[str, bool]]:
    if expression is not None and expression.op == "node":
        yield expression.name, replaced
    for part in expression.parts if expression is not None else ():
        yield from _times_read(part, replaced or (expression is not None and expression.op == "replace"))


def _check_windows(schedule: Schedule) -> None:
    """A window to one side is the whole utterance for the first frame only."""
    outputs = {node.name for node in schedule.net.outputs}
    for node in schedule.net.nodes.values():
        if statistics.pools(node) and not outputs <= schedule.steady:
            assert node.component is not None
            statistics.check_for_each_frame(node.component)


def _order(net: Net) -> list[list[str]]:
    """Strongly connected components, those that are read first (Kosaraju's algorithm, without recursion)."""
    readers: dict[str, list[str]] = {name: [] for name in net.nodes}
    sources = {name: list(dict.fromkeys(read.node for read in reads(node.reads))) for name, node in net.nodes.items()}
    for name, each in sources.items():
        for source in each:
            readers[source].append(name)
    finished: list[str] = []
    seen: set[str] = set()
    for root in net.nodes:
        _walk(root, readers, seen, finished)
    groups: list[list[str]] = []
    placed: set[str] = set()
    for name in reversed(finished):
        if name not in placed:
            group: list[str] = []
            _walk(name, sources, placed, group)
            groups.append(sorted(group, key=list(net.nodes).index) if len(group) > 1 else group)
    return groups


def _walk(root: str, edges: dict[str, list[str]], seen: set[str], finished: list[str]) -> None:
    """Depth first; names are added when everything behind them is done."""
    if root in seen:
        return
    seen.add(root)
    stack = [(root, iter(edges[root]))]
    while stack:
        name, waiting = stack[-1]
        following = next((each for each in waiting if each not in seen), None)
        if following is None:
            finished.append(name)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, iter(edges[following])))


def _steady(schedule: Schedule, node: Node) -> None:
    found = list(reads(node.reads))
    if statistics.pools(node) or (found and all(read.node in schedule.steady for read in found)):
        schedule.steady.add(node.name)


def _dim(schedule: Schedule, name: str, under_way: list[str]) -> int:
    if name in schedule.dims:
        return schedule.dims[name]
    node = schedule.net.nodes[name]
    if node.kind in ("input", "range"):
        schedule.dims[name] = node.dim
        if not 0 < node.dim <= 1 << 20:
            raise Refused(f"the node {name} is {node.dim} values wide", node=name)
        return node.dim  # what it is cut from may follow from itself: see _check_widths
    if node.reads is not None:
        width = _foreseen(schedule, node.reads, [*under_way, name])
        if width is None:
            raise Refused("how wide this node is follows from itself", kind="unsupported", node=name)
        if node.component is not None:
            if statistics.knows(node.component):
                schedule.dims[name] = statistics.width(node.component, width)
            else:
                schedule.functions[name] = components.function(node.component, width)
                schedule.dims[name] = schedule.functions[name].out_dim
        elif node.kind == "output":
            schedule.dims[name] = width
    return schedule.dims[name]


def _foreseen(schedule: Schedule, expression: Expression, under_way: list[str]) -> int | None:
    """Of an expression with nodes whose own width is being found out; None where theirs is needed for it."""
    if expression.op == "node":
        return None if expression.name in under_way else _dim(schedule, expression.name, under_way)
    if expression.op == "const":
        return expression.dim
    widths = [_foreseen(schedule, part, under_way) for part in expression.parts]
    known = [width for width in widths if width is not None]
    if expression.op == "append":
        return sum(known) if len(known) == len(widths) else None
    return known[0] if known else None


def _check_widths(schedule: Schedule) -> None:
    for node in schedule.net.nodes.values():
        if node.reads is not None:
            expression_width(schedule, node.reads)
        if node.kind == "range" and node.reads is not None:
            width = schedule.dims[node.reads.name]
            if not 0 <= node.offset <= width - node.dim:
                raise Refused(
                    f"{node.name} takes values {node.offset}+{node.dim} of a node that has {width}", node=node.name
                )


def expression_width(schedule: Schedule, expression: Expression) -> int:
    """Values a frame. Raises Refused where values of different widths are added."""
    if expression.op == "node":
        return schedule.dims[expression.name]
    if expression.op == "const":
        return expression.dim
    widths = [expression_width(schedule, part) for part in expression.parts]
    if expression.op != "append" and len(set(widths)) > 1:
        raise Refused(f"values of different widths are added: {widths}", node=next(expression.nodes(), None))
    return sum(widths) if expression.op == "append" else widths[0]


def _spans(schedule: Schedule) -> None:
    """Backwards from the outputs."""
    net = schedule.net
    wanted: dict[str, list[tuple[int, int]]] = {name: [] for name in net.nodes}
    for node in net.outputs:
        wanted[node.name].append((0, 0))
    for node in net.inputs:
        wanted[node.name].append((0, 0))
    for group in reversed(schedule.groups):
        asked = [span for name in group for span in wanted[name]]
        if not asked:
            continue  # read by no output
        first, last = min(span[0] for span in asked), max(span[1] for span in asked)
        if max(-first, last) > _LONGEST_CONTEXT:
            raise Refused(f"frames {first} to {last} around each are wanted", kind="unsupported", node=group[0])
        for name in group:
            schedule.spans[name] = (first, last)
            frames = schedule.times(net.nodes[name])
            for read in reads(net.nodes[name].reads):
                if read.node not in group and not read.optional and read.node not in schedule.steady:
                    offset = 0 if read.fixed else read.offset
                    wanted[read.node].append((first + offset + min(frames), last + offset + max(frames)))
                elif read.node not in group:
                    wanted[read.node].append((0, 0))

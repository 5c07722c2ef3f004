"""The models of a run as the page shows them: layers by error, kernels by time, weights before and after, graphs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

from dlpipe.report import dag, words
from dlpipe.report.charts import Chart, Datum, chart
from dlpipe.report.schema import Layer, ModelView, Report, Weight

LAYERS = 12
KERNELS = 10
WEIGHTS = 8
DRAWN = 60  # nodes of a graph
_UNDRAWN = frozenset({"QuantizeLinear", "DequantizeLinear", "Cast", "Identity", "Constant"})


@dataclass(frozen=True, slots=True)
class Curve:
    """A weight's distribution, before and after, over the same range: SVG points on a field of 100 x 40."""

    name: str
    detail: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Graph:
    title: str
    detail: str
    nodes: tuple[tuple[dag.Box, str, Layer], ...]  # with the name that is written on it
    layout: dag.Layout


@dataclass(frozen=True, slots=True)
class Look:
    """`errors`: the layers that depart most. A chart is None where nothing is known, with the reason beside it."""

    stage: str
    errors: Chart | None
    errors_reason: str | None
    kernels: Chart | None
    kernels_reason: str | None
    weights: tuple[Curve, ...]
    weights_detail: str
    graphs: tuple[Graph, ...]


def looks(report: Report) -> list[Look]:
    """One for each model that artefacts were made from, against the imported one."""
    if not report.views:
        return []
    first, *others = report.views
    return [_look(first, each) for each in others]


def _look(before: ModelView, after: ModelView) -> Look:
    stem = _stem(each.name for each in before.nodes)
    known = [each for each in after.nodes if each.error is not None]
    worst = sorted((each for each in known if each.error), key=lambda each: -(each.error or 0.0))[:LAYERS]
    none = f"{len(known)} layers give exactly what they gave" if known else "no layer kept its name and operator"
    errors = [
        Datum(
            _named(each.name, stem, 60), 100 * (each.error or 0.0), None, _percent(each.error or 0.0), each.op, "flat"
        )
        for each in worst
    ]
    total = sum(each.milliseconds for each in after.kernels)
    kernels = [
        Datum(_named(each.name, stem, 60), each.milliseconds, None, words.duration(each.milliseconds),
              f"{each.op}, {100 * each.milliseconds / total if total else 0:.0f} % of the time", "flat")
        for each in after.kernels[:KERNELS]
    ]  # fmt: skip
    earlier = {each.name: each for each in before.weights}
    pairs = [(_counterpart(each, earlier), each) for each in after.weights]
    curves = [_curve(old, new, stem) for old, new in pairs if old is not None][:WEIGHTS]
    top = max((each.error or 0.0 for each in worst), default=0.0)
    return Look(
        stage=after.stage,
        errors=chart(errors, least=(0.0, max(100 * top, 1e-9))) if errors else None,
        errors_reason=after.error_reason or none,
        kernels=chart(kernels, least=(0.0, after.kernels[0].milliseconds or 1e-9)) if kernels else None,
        kernels_reason=after.kernels_reason or "nothing was profiled",
        weights=tuple(curves),
        weights_detail=f"the {len(curves)} largest of {after.weight_count} that kept their name and shape",
        graphs=(_graph("as imported", before, stem), _graph(after.stage, after, stem)),
    )


def _stem(names: Iterable[str]) -> str:
    """The scopes that all names begin with that have any: they tell nothing apart."""
    parts = [name.split("/")[:-1] for name in names if "/" in name]
    alike = takewhile(lambda each: len(set(each)) == 1, zip(*parts, strict=False))
    return "/".join(each[0] for each in alike)


def _named(name: str, stem: str, length: int) -> str:
    return words.shortened(name.removeprefix(f"{stem}/") if stem else name, length)


def _percent(share: float) -> str:
    return f"{words.significant(100 * share, 2)} %" if share else "0 %"


def _counterpart(new: Weight, earlier: dict[str, Weight]) -> Weight | None:
    """The weight that it was: by its name, or the name that a quantised one's begins with."""
    found = earlier.get(new.name) or earlier.get(new.name.rpartition("/")[0])
    return found if found is not None and found.shape == new.shape else None


def _curve(old: Weight, new: Weight, stem: str) -> Curve:
    low, high = min(old.low, new.low), max(old.high, new.high)
    top = max(_density(each) for each in (old, new)) or 1.0
    shape = " × ".join(map(str, new.shape))
    moved = f"{old.dtype} → {new.dtype}" if old.dtype != new.dtype else new.dtype
    detail = f"{shape}, {moved}, {words.significant(low)} to {words.significant(high)}"
    return Curve(_named(new.name, stem, 48), detail, *(_steps(each, low, high, top) for each in (old, new)))


def _density(weight: Weight) -> float:
    """Of its fullest step: of the share of elements for each unit of the value."""
    width, total = (weight.high - weight.low) / len(weight.counts), sum(weight.counts)
    return max(weight.counts) / total / width if width > 0 and total else 0.0


def _steps(weight: Weight, low: float, high: float, top: float) -> str:
    span, count, total = (high - low) or 1.0, len(weight.counts), sum(weight.counts) or 1
    width = (weight.high - weight.low) / count
    places = [100 * (weight.low + width * index - low) / span for index in range(count + 1)]
    points = [f"{places[0]:.1f},40"]
    for index, each in enumerate(weight.counts):
        level = 40 - 38 * (each / total / width / top if width > 0 else 1.0)
        points += [f"{places[index]:.1f},{level:.1f}", f"{places[index + 1]:.1f},{level:.1f}"]
    return " ".join([*points, f"{places[-1]:.1f},40"])


def _graph(title: str, view: ModelView, stem: str) -> Graph:
    """The first nodes. What only converts numbers is passed over, its inputs joined to what takes its output."""
    shown = [index for index, each in enumerate(view.nodes) if each.op not in _UNDRAWN][:DRAWN]
    drawn = set(shown)
    after = {str(index): [str(each) for each in _behind(view.nodes, index, drawn)] for index in shown}
    layout = dag.layout(after, stacked=set(after))
    nodes = tuple(
        (box, _named(view.nodes[int(box.id)].name, stem, 26), view.nodes[int(box.id)]) for box in layout.boxes
    )
    left_out = sum(each.op in _UNDRAWN for each in view.nodes)
    detail = f"{len(shown)} of {view.node_count} nodes"
    detail += f"; {left_out} that only convert numbers are not drawn" if left_out else ""
    return Graph(title, detail, nodes, layout)


def _behind(nodes: tuple[Layer, ...], index: int, drawn: set[int]) -> list[int]:
    """The drawn nodes that a node takes its inputs from, through those that are not drawn."""
    found: dict[int, None] = {}
    waiting, seen = list(nodes[index].after), set()
    while waiting:
        each = waiting.pop(0)
        if each in seen or not 0 <= each < index:
            continue
        seen.add(each)
        if each in drawn:
            found[each] = None
        else:
            waiting += nodes[each].after
    return sorted(found)

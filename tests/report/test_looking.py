"""Inside the models: layers, kernels, weights, graphs; and the plots of what artefacts lose and cost."""

from __future__ import annotations

from dlpipe.report.html import render_html
from dlpipe.report.looking import looks
from dlpipe.report.radar import radar
from dlpipe.report.schema import Layer
from dlpipe.report.tradeoff import tradeoffs

from .factory import sample_report, views


def test_layers_kernels_and_weights_are_shown_against_the_imported_model() -> None:
    (look,) = looks(sample_report(views=views()))
    assert look.errors is not None
    assert [bar.datum.text for bar in look.errors.bars] == ["20 %", "1.0 %"]  # the worst first; one has no counterpart
    assert look.kernels is not None
    assert look.kernels.bars[0].datum.detail == "Conv, 95 % of the time"
    (curve,) = look.weights
    assert "float32 → int8" in curve.detail
    assert curve.before != curve.after
    assert looks(sample_report()) == []


def test_the_graph_leaves_out_what_only_converts_numbers_and_joins_what_is_around_it() -> None:
    before, after = views()
    nodes = (
        Layer(name="a", op="Conv"),
        Layer(name="q", op="QuantizeLinear", after=(0,)),
        Layer(name="d", op="DequantizeLinear", after=(1,)),
        Layer(name="b", op="Relu", after=(2,)),
    )
    (look,) = looks(sample_report(views=(before, after.model_copy(update={"nodes": nodes, "node_count": 4}))))
    graph = look.graphs[1]
    assert [layer.name for _, _, layer in graph.nodes] == ["a", "b"]
    assert [(start, end) for start, end, _ in graph.layout.lines] == [("0", "3")]
    assert graph.detail == "2 of 4 nodes; 2 that only convert numbers are not drawn"


def test_indices_of_a_hostile_report_lead_nowhere() -> None:
    before, after = views()
    nodes = (Layer(name="a", op="Conv", after=(0, 5, -1)), Layer(name="b", op="Relu", after=(1, 0)))
    assert looks(sample_report(views=(before, after.model_copy(update={"nodes": nodes}))))


def test_the_front_is_what_nothing_beats() -> None:
    report = sample_report()
    (found,) = tradeoffs(report.model_copy(update={"artifacts": (*report.artifacts[:2],)}))
    assert found.plot.y_name == "size"  # emulated: there are no times
    assert found.plot.x_name == "outputs' direction lost, in %"  # not both have an accuracy
    assert [point.front for point in found.plot.points] == [True, True]
    assert [point.chosen for point in found.plot.points] == [True, False]
    worse = report.artifacts[1].model_copy(update={"size_bytes": 10**6, "path": "artifacts/arm64/other"})
    (found,) = tradeoffs(report.model_copy(update={"artifacts": (*report.artifacts[:2], worse)}))
    assert [point.front for point in found.plot.points] == [True, True, False]


def test_a_radar_has_an_area_or_is_none() -> None:
    assert radar({"a": "A", "b": "B"}, [("x", {"a": 1.0})]) is None
    found = radar({"a": "A", "b": "B", "c": "C"}, [("x", {"a": 1.0, "b": 0.5}), ("y", {}), *[("z", {})] * 9])
    assert found is not None
    assert [shape.name for shape in found.shapes] == ["x", "y", "z", "z"]
    assert found.shapes[0].points[0] == found.axes[0].end


def test_the_page_shows_them() -> None:
    page = render_html(sample_report(views=views()))
    for part in ("Inside the models", "Weights before (filled) and after (line)", "Graph before and after"):
        assert part in page
    assert "<script" not in page

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dlpipe.report.dag import BOX, layout

names = [f"n{number}" for number in range(8)]
graphs = st.dictionaries(st.sampled_from(names), st.lists(st.sampled_from([*names, "unknown"]), max_size=4))


def test_parents_stand_left_of_their_children() -> None:
    found = layout({"a": (), "b": ("a",), "c": ("b",), "d": ("a", "c")})
    x = {box.id: box.x for box in found.boxes}
    assert x["a"] < x["b"] < x["c"] < x["d"]
    assert [(start, end) for start, end, _ in found.lines] == [("a", "b"), ("b", "c"), ("a", "d"), ("c", "d")]


def test_a_root_stands_beside_its_child() -> None:
    x = {box.id: box.x for box in layout({"a": (), "b": ("a",), "late": (), "c": ("b", "late")}).boxes}
    assert x["late"] == x["b"]


@given(graphs)
def test_any_graph_ends_inside_its_frame_without_overlap(graph: dict[str, list[str]]) -> None:
    found = layout(graph)
    assert {box.id for box in found.boxes} == graph.keys()
    assert len({(box.x, box.y) for box in found.boxes}) == len(graph)
    for box in found.boxes:
        assert box.x >= 0
        assert box.x + BOX[0] <= found.width
        assert box.y >= 0
        assert box.y + BOX[1] <= found.height
    for first in found.boxes:
        for second in found.boxes:
            if first.id < second.id and first.x == second.x:
                assert abs(first.y - second.y) >= BOX[1]


def test_nothing_to_draw() -> None:
    assert layout({}).boxes == ()

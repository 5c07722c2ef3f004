from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dlpipe.report.dag import BOX, layout

names = [f"n{number}" for number in range(8)]
graphs = st.dictionaries(st.sampled_from(names), st.lists(st.sampled_from([*names, "unknown"]), max_size=4))
some = st.sets(st.sampled_from(names))


def test_parents_stand_left_of_their_children() -> None:
    found = layout({"a": (), "b": ("a",), "c": ("b",), "d": ("a", "c")})
    x = {box.id: box.x for box in found.boxes}
    assert x["a"] < x["b"] < x["c"] < x["d"]
    assert [(start, end) for start, end, _ in found.lines] == [("a", "b"), ("b", "c"), ("a", "d"), ("c", "d")]


def test_a_chain_is_stacked_up_to_where_it_forks() -> None:
    graph = {"a": (), "b": ("a",), "c": ("b",), "d": ("c",), "e": ("c",), "f": ("d",)}
    found = layout(graph, stacked=graph)
    box = {each.id: each for each in found.boxes}
    assert box["a"].x == box["b"].x == box["c"].x < box["d"].x == box["e"].x == box["f"].x
    assert box["a"].y < box["b"].y < box["c"].y
    assert {(start, end) for start, end, _ in found.lines} == {(p, node) for node, its in graph.items() for p in its}


def test_what_comes_last_stands_in_the_last_layer() -> None:
    graph = {"a": (), "b": ("a",), "early": ("a",), "late": ("b",)}
    x = {box.id: box.x for box in layout(graph, last=("early", "late")).boxes}
    assert x["early"] == x["late"] > x["b"]


def test_a_run_for_several_targets_still_fits_a_page() -> None:
    passes = [f"pass {number}" for number in range(9)]
    graph: dict[str, tuple[str, ...]] = {"import": (), "samples": ("import",), "reference": ("import", "samples")}
    graph |= {node: (before,) for before, node in pairwise(["import", *passes])}
    graph |= {"fp16": (passes[-1],), "int8": (passes[-1], "samples")}
    made = {f"artefact {number}": ((passes[-1], "fp16", "int8")[number % 3],) for number in range(24)}
    found = layout(graph | made, stacked=[*passes, "fp16", "int8"], last=made)
    assert found.width <= 1130
    assert found.height <= 24 * 64


def test_a_root_stands_beside_its_child() -> None:
    x = {box.id: box.x for box in layout({"a": (), "b": ("a",), "late": (), "c": ("b", "late")}).boxes}
    assert x["late"] == x["b"]


@given(graphs, some, some)
def test_any_graph_ends_inside_its_frame_without_overlap(
    graph: dict[str, list[str]], stacked: set[str], last: set[str]
) -> None:
    found = layout(graph, stacked=stacked, last=last)
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


@given(graphs, some, some)
def test_no_line_runs_behind_a_box_or_out_of_the_frame(
    graph: dict[str, list[str]], stacked: set[str], last: set[str]
) -> None:
    found = layout(graph, stacked=stacked, last=last)
    for _, _, path in found.lines:
        for x, y in points(path):
            assert 0 <= x <= found.width
            assert 0 <= y <= found.height
            for box in found.boxes:
                assert not (box.x < x < box.x + BOX[0] and box.y < y < box.y + BOX[1])


def points(path: str) -> list[tuple[float, float]]:
    """Points along a line, no further apart than a box is high."""
    found: list[tuple[float, float]] = []
    for letter, text in re.findall(r"([MCHV])([^MCHV]*)", path):
        numbers = [float(each) for each in text.split()]
        if letter == "M":
            found.append((numbers[0], numbers[1]))
            continue
        x, y = found[-1]
        ends = {"H": [x, y, numbers[0], y, numbers[0], y], "V": [x, y, x, numbers[0], x, numbers[0]]}
        x1, y1, x2, y2, x3, y3 = ends.get(letter, numbers)
        for step in range(1, 21):
            t, u = step / 20, 1 - step / 20
            found.append(
                (
                    u**3 * x + 3 * u * u * t * x1 + 3 * u * t * t * x2 + t**3 * x3,
                    u**3 * y + 3 * u * u * t * y1 + 3 * u * t * t * y2 + t**3 * y3,
                )
            )
    return found


def test_nothing_to_draw() -> None:
    assert layout({}).boxes == ()

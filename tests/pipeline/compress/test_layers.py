"""Which layers are left alone, over layers whose times are known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlpipe.passes.recipes import Recipe, recipe
from dlpipe.pipeline.compress import layers


def known(gain: dict[str, float], rounds: list[int]) -> object:
    """`best` for layers that each save a known time, or cost 1, when the pass leaves them alone."""
    current = 0.0

    def best(left: list[str], tried: list[list[str]]) -> list[str] | None:
        nonlocal current
        rounds.append(len(tried))
        gains = [sum(gain.get(name, -1.0) for name in (*left, *group)) for group in tried]
        place = max(range(len(tried)), key=lambda index: gains[index], default=None)
        if place is None or gains[place] <= current:
            return None
        current = gains[place]
        return tried[place]

    return best


def test_a_kind_with_a_slow_kernel_is_left_alone_as_a_whole() -> None:
    groups = [["a", "b", "c"], ["d", "e"], ["f"]]
    rounds: list[int] = []
    assert layers.apart(groups, known({"d": 3.0, "e": 2.0}, rounds)) == ["d", "e"]
    assert rounds[:2] == [3, 2]


@given(st.integers(2, 200), st.data())
def test_one_slow_layer_among_many_is_found_in_log2_rounds(count: int, data: st.DataObject) -> None:
    names = [f"l{index}" for index in range(count)]
    slow = data.draw(st.sampled_from(names))
    rounds: list[int] = []
    assert layers.apart([names], known({slow: 500.0}, rounds))[:1] == [slow]
    assert len(rounds) <= layers.ROUNDS
    assert math.ceil(math.log2(count)) + 1 <= layers.ROUNDS


def test_nothing_is_left_alone_where_nothing_helps() -> None:
    rounds: list[int] = []
    assert layers.apart([["a", "b"], ["c"]], known({}, rounds)) == []
    assert rounds == [2, 2]


def test_when_the_time_is_up_what_was_found_stays() -> None:
    turns = iter([True, False])
    groups = [["a"], ["b"]]
    found = layers.apart(groups, known({"a": 2.0, "b": 1.0}, []), lambda: next(turns))
    assert found == ["a"]


def test_layers_of_a_kind_share_a_group_the_largest_first() -> None:
    def node(name: str, op: str, **attributes: object) -> dict[str, object]:
        return {"name": name, "op": op, "attributes": attributes}

    nodes = [
        node("add", "Add"),
        node("c1", "Conv", kernel_shape=[3, 3]),
        node("d1", "Conv", kernel_shape=[3, 3], group=8),
        node("d2", "Conv", kernel_shape=[3, 3], group=16),
        node("d3", "Conv", kernel_shape=[5, 5], group=16),
        node("", "Relu"),
    ]
    assert layers.kinds(nodes) == [["d1", "d2"], ["add"], ["c1"], ["d3"]]


def test_layers_join_those_that_the_recipe_leaves_alone_itself() -> None:
    own = Recipe.model_validate(
        {
            "name": "own",
            "summary": "",
            "precision": "fp16",
            "steps": [{"pass": "fold-constants"}, {"pass": "fp16", "params": {"keep": ["z"]}}],
        }
    )
    assert layers.leaves_out(own) == 1
    made = layers.with_layers(own, 1, ["b", "a"], "new")
    assert made.name == "new"
    assert made.steps[1].params == {"keep": ["a", "b", "z"]}
    assert own.steps[1].params == {"keep": ["z"]}
    assert layers.leaves_out(recipe("fp32")) is None


@pytest.mark.parametrize(("groups", "halves"), [([["a"]], []), ([["a", "b", "c"]], [["a"], ["b", "c"]])])
def test_halves(groups: list[list[str]], halves: list[list[str]]) -> None:
    assert layers.halved(groups) == halves

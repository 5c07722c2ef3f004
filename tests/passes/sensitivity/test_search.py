from __future__ import annotations

import math

import pytest

from dlpipe.passes.sensitivity.figures import Figures, Limit
from dlpipe.passes.sensitivity.search import Group, one_by_one, smallest_keep

LIMIT = Limit(sqnr_db=40.0)


class Model:
    """Each node that is lowered brings its noise power."""

    def __init__(self, noise: dict[str, float]) -> None:
        self.noise = noise
        self.calls: list[frozenset[str]] = []

    def measure(self, keep: frozenset[str]) -> Figures:
        self.calls.append(keep)
        total = sum(power for name, power in self.noise.items() if name not in keep)
        return Figures(200.0 if total == 0 else -10 * math.log10(total), 1.0)

    def groups(self, loss: dict[str, float] | None = None) -> list[Group]:
        return [Group(name, (name,), (loss or self.noise)[name]) for name in self.noise]


def quiet(count: int) -> dict[str, float]:
    return {f"n{i}": 1e-7 for i in range(count)}


def test_nothing_is_kept_where_the_limit_holds_without():
    model = Model(quiet(100))
    found = smallest_keep(model.groups(), model.measure, LIMIT)
    assert (found.kept, found.met, found.evaluations) == ((), True, 1)


@pytest.mark.parametrize("loud", [1, 3, 40, 128])
def test_the_loud_ones_are_found_in_few_evaluations(loud):
    model = Model(quiet(1000) | {f"loud{i}": 1e-2 for i in range(loud)})
    found = smallest_keep(model.groups(), model.measure, Limit(sqnr_db=39.0))
    assert found.nodes == {f"loud{i}" for i in range(loud)}
    assert found.met
    assert found.evaluations <= 2 + 11 + 2 * 7 + 2
    assert len(set(model.calls)) == len(model.calls) == found.evaluations


def test_a_wrong_guess_costs_evaluations_and_not_the_result():
    noise = quiet(64) | {"loud": 1e-2}
    model = Model(noise)
    found = smallest_keep(model.groups(dict.fromkeys(noise, 1.0) | {"loud": 0.0}), model.measure, LIMIT)
    assert found.nodes == {"loud"}
    unrefined = smallest_keep(
        model.groups(dict.fromkeys(noise, 1.0) | {"loud": 0.0}), model.measure, LIMIT, refine=False
    )
    assert unrefined.met
    assert len(unrefined.kept) == 65
    assert model.measure(found.nodes) == found.figures


def test_two_needed_among_many_are_both_kept():
    noise = quiet(62) | {"first": 1e-2, "second": 1e-2}
    model = Model(noise)
    loss = {name: float(index) for index, name in enumerate(noise)} | {"first": 20.5, "second": 0.5}
    found = smallest_keep(model.groups(loss), model.measure, LIMIT)
    assert found.met
    assert {"first", "second"} <= found.nodes
    assert LIMIT.holds(model.measure(found.nodes))


def test_a_limit_out_of_reach_is_said():
    model = Model({"a": 1e-9, "b": 1e-9})
    found = smallest_keep(model.groups(), lambda keep: Figures(10.0, 1.0), LIMIT)
    assert not found.met
    assert found.nodes == {"a", "b"}


def test_forced_nodes_are_kept_in_every_evaluation():
    model = Model(quiet(8) | {"bad": 1.0})
    groups = [group for group in model.groups() if group.name != "bad"]
    found = smallest_keep(groups, model.measure, LIMIT, forced=frozenset({"bad"}))
    assert found.met
    assert all("bad" in keep for keep in model.calls)
    assert found.kept == ()


def test_no_groups():
    found = smallest_keep([], lambda keep: Figures(10.0, 1.0), LIMIT)
    assert (found.kept, found.met) == ((), False)


def test_one_by_one():
    model = Model({"a": 1e-2, "b": 1e-4})
    alone = one_by_one(model.groups(), model.measure, progress=lambda done: None)
    assert [round(each.sqnr_db) for each in alone] == [20, 40]
    without = one_by_one(model.groups(), model.measure, keep_others=False, progress=lambda done: None)
    assert [round(each.sqnr_db) for each in without] == [40, 20]

"""The search, over candidates whose figures are known: what it tries, what it learns, when it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Accuracy, Speedup
from dlpipe.passes.recipes import Recipe, recipe
from dlpipe.pipeline.compress import space
from dlpipe.pipeline.compress.request import CompressRequest
from dlpipe.pipeline.compress.search import PATIENCE, Attempt, search
from dlpipe.pipeline.compress.spending import Spending
from dlpipe.pipeline.compress.trial import Candidate
from dlpipe.pipeline.limits import UserLimits
from dlpipe.pipeline.variants import Variant
from dlpipe.report.compression import Figures, Tried

WIDE = Recipe.model_validate(
    {
        "name": "wide",
        "summary": "many settings",
        "precision": "int8",
        "steps": [
            {"pass": "fp16", "optional": True},
            {
                "pass": "quantize-int8",
                "search": {
                    "percentile": {"low": 99.0, "high": 100.0},
                    "method": ["minmax", "mse"],
                    "types": [{"activations": "int8", "weights": "int8"}],
                },
            },
        ],
    }
)

FEW = Recipe.model_validate(
    {
        "name": "few",
        "summary": "three settings",
        "precision": "int8",
        "steps": [{"pass": "quantize-int8", "search": {"method": ["minmax", "entropy"]}}],
    }
)


def request(**more: object) -> CompressRequest:
    return CompressRequest(model="m.onnx", out=Path("o.onnx"), **more)


def candidate(number: int, made: Recipe, drop: float, speed: float) -> Candidate:
    found = Figures(
        accuracy=Accuracy(metric="top-1", value=0.9, ci95=(0.8, 1.0), n=100, drop=drop),
        cost={"size": Figure(value=10, unit="bytes", provenance="measured")},
        speedup=Speedup(baseline="reference-runtime", value=speed, ci95=(speed, speed), provenance="measured"),
    )
    tried = Tried(number=number, recipe=made.name, figures=found, verdict="meets" if drop <= 0.5 else "breaks")
    return Candidate(tried, Variant(made, "ir", (), (), ()))


def by_percentile(seen: list[str]) -> Attempt:
    """A higher percentile is faster, and loses more."""

    def attempt(number: int, made: Recipe) -> Candidate:
        seen.append(made.model_dump_json(exclude={"name"}))
        high = float(made.steps[-1].params.get("percentile", 99.5)) - 99
        return candidate(number, made, drop=high, speed=1 + high)

    return attempt


def test_the_recipes_as_they_are_come_first() -> None:
    found = {name: recipe(name) for name in ("fp16", "int8")}
    searched = search(
        request(trials=2), found, lambda number, made: candidate(number, made, drop=0.0, speed=1.0 + number)
    )
    assert [each.tried.recipe for each in searched.candidates] == ["fp16", "int8"]
    assert [each.variant.recipe for each in searched.candidates] == list(found.values())


def test_the_same_command_takes_the_same_way_and_nothing_is_tried_twice() -> None:
    first: list[str] = []
    second: list[str] = []
    for seen in (first, second):
        searched = search(request(trials=12), {"wide": WIDE}, by_percentile(seen))
        assert [each.tried.number for each in searched.candidates] == list(range(1, len(seen) + 1))
    assert first == second
    assert len(set(first)) == len(first)


def test_a_search_that_is_cut_off_is_the_beginning_of_the_longer_one() -> None:
    short: list[str] = []
    long: list[str] = []
    search(request(trials=5), {"wide": WIDE}, by_percentile(short))
    search(request(trials=10), {"wide": WIDE}, by_percentile(long))
    assert long[:5] == short
    assert len(long) > 5


def test_it_ends_when_the_limits_are_kept_and_nothing_better_comes() -> None:
    searched = search(
        request(trials=100), {"wide": WIDE}, lambda number, made: candidate(number, made, drop=0.0, speed=1.5)
    )
    assert len(searched.candidates) == 1 + PATIENCE
    assert "no better" in searched.ended


def test_it_goes_on_while_no_limit_is_kept() -> None:
    searched = search(
        request(trials=15), {"wide": WIDE}, lambda number, made: candidate(number, made, drop=9.0, speed=1.5)
    )
    assert len(searched.candidates) == 15


def test_it_ends_when_all_there_is_was_tried() -> None:
    searched = search(
        request(trials=100, limits=UserLimits(max_accuracy_drop=0.1)),
        {"few": FEW},
        lambda number, made: candidate(number, made, drop=9.0, speed=1.5),
    )
    assert len(searched.candidates) == 3
    assert "nothing new" in searched.ended


def test_the_budget_ends_it_after_one_at_least() -> None:
    searched = search(request(trials=100, budget=0.0), {"wide": WIDE}, by_percentile([]))
    assert len(searched.candidates) == 1
    assert "time was up" in searched.ended


class Costly:
    """Attempts that take a known time, by a clock of their own."""

    def __init__(self, seconds: dict[str, float], speed: float = 2.0) -> None:
        self.now = 0.0
        self._seconds = seconds
        self._speed = speed

    def __call__(self, number: int, made: Recipe) -> Candidate:
        self.now += self._seconds[made.name.partition("-")[0]]
        return candidate(number, made, drop=0.0, speed=self._speed)

    def spending(self, seconds: float) -> Spending:
        return Spending(seconds, lambda: self.now)


def test_what_would_take_longer_than_the_budget_has_left_is_not_begun_and_said() -> None:
    attempts = Costly({"few": 20.0, "wide": 20.0, "fp16": 1.0})
    found = {"few": FEW, "wide": WIDE, "fp16": recipe("fp16")}
    searched = search(request(trials=100), found, attempts, attempts.spending(59.0))
    assert [each.tried.recipe for each in searched.candidates] == ["few", "wide"]
    assert attempts.now == 40.0
    assert "the time was up after 2 candidates" in searched.ended
    assert "about 20 s, and 19 s were left" in searched.ended
    assert searched.ended.endswith("not tried: fp16")


def test_when_the_time_is_up_there_is_something_that_could_be_made() -> None:
    attempts = Costly({"few": 90.0, "wide": 20.0, "fp16": 1.0})

    def attempt(number: int, made: Recipe) -> Candidate:
        done = attempts(number, made)
        failed = Tried(number=number, recipe=made.name, verdict="failed", reason="refused")
        return Candidate(failed, done.variant) if made.name == "few" else done

    found = {"few": FEW, "wide": WIDE, "fp16": recipe("fp16")}
    searched = search(request(trials=100), found, attempt, attempts.spending(60.0))
    assert [each.tried.verdict for each in searched.candidates] == ["failed", "meets"]
    assert searched.ended == "the time was up after 2 candidates (--budget); not tried: fp16"


def test_while_nothing_is_faster_time_is_kept_for_layers() -> None:
    for minimise, tried in (("latency", 3), ("size", 4)):
        attempts = Costly({"few": 20.0})

        def slow(number: int, made: Recipe, attempts: Costly = attempts) -> Candidate:
            made_one = attempts(number, made)
            return Candidate(made_one.tried.model_copy(update={"verdict": "no-gain"}), made_one.variant)

        many = FEW.model_copy(
            update={"steps": [FEW.steps[0].model_copy(update={"search": {"method": ["minmax", "entropy", "mse"]}})]}
        )
        searched = search(request(trials=100, minimise=minimise), {"few": many}, slow, attempts.spending(80.0))
        assert len(searched.candidates) == tried
        assert ("for layers" in searched.ended) == (minimise == "latency")


def test_what_makes_the_same_is_one_candidate() -> None:
    """The attempt gives an earlier one where what it makes is the same."""
    made: list[Candidate] = []

    def attempt(number: int, wanted: Recipe) -> Candidate:
        method = wanted.steps[-1].params.get("method", "auto")
        earlier = next((each for each in made if method != "entropy"), None)
        if earlier is None:
            made.append(candidate(number, wanted, drop=9.0, speed=1.5))
        return earlier or made[-1]

    searched = search(request(trials=100), {"few": FEW}, attempt)
    assert [each.tried.number for each in searched.candidates] == [1, 2]
    assert list(searched.candidates) == made


def test_a_recipe_that_fails_as_it_is_is_tried_once_and_the_others_go_on() -> None:
    def attempt(number: int, made: Recipe) -> Candidate:
        if made.name.startswith("wide"):
            tried = Tried(number=number, recipe=made.name, verdict="failed", reason="refused")
            return Candidate(tried, Variant(made, "ir", (), (), ()))
        return candidate(number, made, drop=9.0, speed=1.5)

    searched = search(request(trials=100), {"wide": WIDE, "few": FEW}, attempt)
    names = [each.tried.recipe for each in searched.candidates]
    assert names[:2] == ["wide", "few"]
    assert len(names) == 4
    assert "nothing new" in searched.ended


def test_what_is_refused_is_no_trial() -> None:
    def attempt(number: int, made: Recipe) -> Candidate:
        if made.name == "few":
            tried = Tried(number=number, recipe=made.name, verdict="failed", reason="refused")
            return Candidate(tried, Variant(made, "ir", (), (), ()))
        return candidate(number, made, drop=9.0, speed=1.5)

    searched = search(request(trials=2), {"few": FEW, "wide": WIDE}, attempt)
    assert [each.tried.verdict for each in searched.candidates] == ["failed", "breaks", "breaks"]
    assert searched.ended == "2 candidates were tried (--trials)"


def test_it_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a search over 30 the second half is nearer to the optimum (just below the limit) than the first."""
    monkeypatch.setattr("dlpipe.pipeline.compress.search.PATIENCE", 100)
    far: list[float] = []

    def attempt(number: int, made: Recipe) -> Candidate:
        high = float(made.steps[-1].params.get("percentile", 99.5)) - 99
        far.append(abs(high - 0.45))
        return candidate(number, made, drop=high + 0.05 + 1e-6 * number, speed=1 + high)

    search(request(trials=30), {"wide": WIDE}, attempt)
    assert len(far) == 30
    half = len(far) // 2
    assert sum(far[half:]) / (len(far) - half) < sum(far[:half]) / half


def test_choices_become_the_recipe() -> None:
    choices = {
        "recipe": "wide",
        "wide.1-fp16": False,
        "wide.2-quantize-int8.percentile": 99.7,
        "wide.2-quantize-int8.method": 1,
        "wide.2-quantize-int8.types": 0,
    }
    made = space.concrete(WIDE, choices, "wide-3")
    assert made.name == "wide-3"
    assert [(step.name, step.params) for step in made.steps] == [
        (
            "quantize-int8",
            {"percentile": 99.7, "method": "mse", "activations": "int8", "weights": "int8"},
        )
    ]
    assert space.concrete(WIDE, space.defaults(WIDE), "wide").steps[1].params == {"percentile": 99.99}


def test_recipes_that_train_are_searched_only_with_data_to_train_on() -> None:
    names = [each.name for each in space.suitable(request())]
    assert names
    assert "fp32" not in names
    assert not any("train" in recipe(name).needs(at_least=True) for name in names)
    assert {each.name for each in space.suitable(request(train_data="t.npz"))} > set(names)
    goals = [recipe(name).goal for name in names]
    assert goals == sorted(goals)  # "latency", which is what is minimised here, before "size"


def test_what_loses_too_much_is_tried_with_its_sensitive_nodes_in_float_next() -> None:
    found = {"fp16": recipe("fp16"), "few": FEW}
    keeps: list[object] = []

    def attempt(number: int, made: Recipe) -> Candidate:
        keeps.append(made.steps[0].params.get("keep"))
        return candidate(number, made, drop=2.0 if made.steps[0].name == "fp16" else 0.1, speed=1.5)

    search(request(trials=6), found, attempt)
    assert keeps == [None, None, *({"sensitive": count} for count in (1, 2, 4, 8))]

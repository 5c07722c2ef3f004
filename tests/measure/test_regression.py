"""Noise is no regression, a regression is not noise: on what repeated timings of unchanged artefacts really gave."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest

from dlpipe.measure.regression import SLOWER, Estimate, sign_test, slower, smaller, worse
from dlpipe.measure.statistics import mcnemar, wilson

# Recorded by benchmarks/gate_noise.py on a machine of two cores that others used at the same time; the file names it.
RERUNS = json.loads(Path(__file__).with_name("reruns.json").read_text(encoding="utf-8"))["reruns"]


def alarms(accepted: dict[str, Estimate], run: dict[str, Estimate], *, slowed: float = 1.0) -> bool:
    """Whether any artefact of a run trips; `slowed`: by what factor each run of it takes longer than it did."""
    found = [slower(accepted[name], tuple(each / slowed for each in run[name])) for name in run]
    return any(worse(found))


def test_a_hundred_real_reruns_give_at_most_one_false_alarm_against_the_one_before() -> None:
    assert len(RERUNS) == 101
    assert sum(alarms(before, now) for before, now in pairwise(RERUNS)) <= 1


def test_whichever_run_was_accepted_at_most_one_percent_of_the_others_trip() -> None:
    tripped = [alarms(accepted, run) for accepted in RERUNS for run in RERUNS if run is not accepted]
    assert sum(tripped) / len(tripped) <= 0.01


def test_a_real_slowdown_trips() -> None:
    """In these very noisy runs: one of twice the time nearly always."""
    found = [alarms(before, now, slowed=2.0) for before, now in pairwise(RERUNS)]
    assert sum(found) / len(found) >= 0.8


def test_the_quieter_the_runs_the_less_is_found() -> None:
    quiet, noisy = (2.0, 1.98, 2.02), (2.0, 1.5, 2.6)
    slow = tuple(each / 1.25 for each in quiet)
    assert worse([slower(quiet, slow)]) == [True]
    assert worse([slower(noisy, slow)]) == [False]
    assert slower(quiet, tuple(each / SLOWER for each in quiet)) == pytest.approx(0.5)


def test_a_loss_of_one_point_trips_and_symmetric_flips_do_not() -> None:
    """10,000 samples, of which a changed kernel flips 60 either way: a hundred reruns, and one with a point lost."""
    generator = random.Random(1)
    tripped = 0
    for _ in range(100):
        wrong = sum(generator.random() < 0.5 for _ in range(60))
        tripped += any(worse([sign_test(wrong, 60 - wrong)]))
    assert tripped <= 1
    assert worse([sign_test(30 + 100, 30)]) == [True]


def test_on_few_samples_a_point_is_found_where_nothing_else_changed() -> None:
    assert worse([sign_test(7, 0)]) == [True]  # 7 of 667: the keyword model of the zoo
    assert worse([sign_test(10, 3)]) == [False]


def test_without_the_answers_the_intervals_decide() -> None:
    def of(right: int, n: int) -> Estimate:
        return (right / n, *wilson(right, n))

    assert worse([smaller(of(9000, 10_000), of(8880, 10_000))]) == [True]
    assert worse([smaller(of(600, 667), of(593, 667))]) == [False]
    assert smaller(of(600, 667), of(600, 667)) == pytest.approx(0.5)
    assert smaller(of(600, 667), of(620, 667)) > 0.9


def test_the_sign_test_is_one_side_of_mcnemars() -> None:
    assert sign_test(0, 0) == 1.0
    assert sign_test(12, 3) * 2 == pytest.approx(mcnemar(12, 3))
    assert sign_test(3, 12) == pytest.approx(1 - sign_test(13, 2))
    with pytest.raises(ValueError, match="-1 worse"):
        sign_test(-1, 0)


def test_many_comparisons_share_the_chance_of_a_false_alarm() -> None:
    assert worse([0.009]) == [True]
    assert worse([0.009, 0.5, 0.5]) == [False, False, False]
    assert worse([0.003, 0.5, 0.5]) == [True, False, False]
    assert worse([0.009, 0.008]) == [True, True]  # all of them at once: no correction is needed
    assert worse([]) == []

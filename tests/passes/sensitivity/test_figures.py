from __future__ import annotations

import math

import numpy as np
import pytest

from dlpipe.passes.sensitivity.figures import BROKEN, IDENTICAL, Figures, Limit, Tally, worst


def figures(reference, candidate) -> Figures:
    tally = Tally()
    for a, b in zip(reference, candidate, strict=True):
        tally.add(a, b)
    return tally.figures()


def test_sqnr_and_cosine_over_all_samples():
    random = np.random.default_rng(0)
    a = random.standard_normal((5, 1000))
    b = a + 0.01 * random.standard_normal(a.shape)
    found = figures(a, b)
    assert found.sqnr_db == pytest.approx(10 * math.log10((a**2).sum() / ((a - b) ** 2).sum()))
    assert found.cosine == pytest.approx((a * b).sum() / math.sqrt((a**2).sum() * (b**2).sum()))
    assert (found.agreement, found.kl) == (None, None)


def test_identical_and_broken_outputs_can_be_compared():
    a = np.ones((1, 1, 3))
    assert figures(a, a) == Figures(IDENTICAL, 1.0, 1.0, 0.0)
    assert figures(a, np.full_like(a, np.nan)).sqnr_db == BROKEN
    assert figures(a, np.full_like(a, np.inf)).sqnr_db == BROKEN
    assert figures(np.zeros((1, 3)), np.ones((1, 3))).sqnr_db == BROKEN
    assert figures(np.zeros((1, 3)), np.zeros((1, 3))) == Figures(IDENTICAL, 1.0)


def test_what_is_not_finite_in_the_reference_is_left_out():
    assert figures(np.array([[1.0, np.nan]]), np.array([[1.0, 5.0]])).sqnr_db == IDENTICAL


def test_classes_from_probabilities_and_from_logits():
    logits = np.array([[[2.0, 1.0, -1.0]], [[0.0, 3.0, 1.0]]])
    moved = logits + np.array([[[0.1, 0.0, 0.0]], [[0.0, -2.5, 0.0]]])

    def soft(x):
        return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)

    p, q = soft(logits), soft(moved)
    kl = (p * np.log(p / q)).sum(axis=-1).mean()
    for a, b in ((logits, moved), (p, q)):
        found = figures(a, b)
        assert found.kl == pytest.approx(kl)
        assert found.agreement == 0.5


def test_limits():
    good = Figures(50.0, 0.9999, 1.0, 0.001)
    assert Limit().holds(good)
    assert Limit(sqnr_db=50.0, cosine=0.999, agreement=1.0, kl=0.001).holds(good)
    assert not Limit(sqnr_db=50.1).holds(good)
    assert not Limit(agreement=1.0).holds(Figures(50.0, 1.0, 0.9, 0.0))
    assert not Limit(kl=0.0005).holds(good)
    assert Limit(kl=0.0005, agreement=1.0).holds(Figures(50.0, 1.0))


def test_the_worst_output_counts():
    near, far = Tally(), Tally()
    near.add(np.ones((1, 2)), np.ones((1, 2)))
    far.add(np.ones(4), np.array([1.0, 1.0, 1.0, 1.2]))
    found = worst([near, far])
    assert found.sqnr_db == pytest.approx(20.0)
    assert found.agreement == 1.0

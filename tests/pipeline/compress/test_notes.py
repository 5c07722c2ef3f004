"""What is said of the original before any candidate's figures are believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.contracts.measurement import Accuracy
from dlpipe.passes.recipes import recipe
from dlpipe.pipeline.compress.notes import of_eight_bits, of_the_original
from dlpipe.pipeline.compress.request import CompressRequest
from dlpipe.targets.registry import target


@pytest.mark.parametrize(
    ("value", "ci95", "classes", "said"),
    [
        (0.1375, (0.079, 0.23), 10, "13.8 % right, hardly more than guessing among 10 classes"),
        (0.01, (0.005, 0.02), 0, "1.0 % right: are these its labels"),
        (0.004, (0.001, 0.01), 1000, "0.4 % right"),
        (0.55, (0.45, 0.65), 2, "guessing among 2 classes"),
        (0.3, (0.25, 0.35), 10, ""),
        (0.55, (0.51, 0.6), 2, ""),
        (0.9, (0.1, 0.99), 10, ""),
        (0.9, (0.8, 0.95), 0, ""),
    ],
)
def test_an_original_that_only_guesses_is_told(
    value: float, ci95: tuple[float, float], classes: int, said: str
) -> None:
    found = of_the_original(Accuracy(metric="top-1", value=value, ci95=ci95, n=100), classes)
    assert len(found) == bool(said)
    assert said in "".join(found)


def test_without_labels_nothing_is_said() -> None:
    assert of_the_original(None, 10) == []


@pytest.mark.parametrize(
    ("name", "mine", "asked", "said"),
    [
        ("int8", "x86-64-v3", None, True),
        ("dynamic", "x86-64-v3", None, True),
        ("int8", "x86-64-v3", "arm64", False),
        ("int8", "x86-64-avx512-vnni", None, False),
        ("int8-weights", "x86-64-v3", None, False),
    ],
)
def test_weights_that_overflow_this_machines_sums_are_told(name: str, mine: str, asked: str | None, said: bool) -> None:
    for_whom = None if asked is None else target(asked)
    request = CompressRequest("m.onnx", Path("o.onnx"), recipes=(recipe(name),), target=for_whom)
    found = of_eight_bits(request, target(mine))
    assert len(found) == said
    assert f"-t {mine}" in "".join(found) or not said

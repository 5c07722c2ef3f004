"""A slip in a name that the user gave is seen."""

from __future__ import annotations

from typing import Any

import pytest

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.ir.contract import Contract, Port
from dlpipe.pipeline.heeded import unheeded

CONTRACT = Contract(
    inputs=(Port(name="serving_x", dtype="float32", shape=("N", 3, 8), source="serving/x:0"),),
    outputs=(Port(name="prob", dtype="float32", shape=("N", 2), source="prob/Softmax:0"),),
)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"inputs": {"y": {"shape": [1, 3, 8]}}}, ["--input y"]),
        ({"inputs": {"x": {"shape": [1, 3, 8]}}}, []),
        ({"inputs": {"serving/x:0": {"shape": [1, 3, 8]}}}, []),
        ({"outputs": ("nope", "prob/Softmax")}, ["--output nope"]),
        ({"dims": {"foo": 5}}, ["--shape foo=5"]),
        ({"dims": {"N": 5}}, []),  # is set where the model is fed
        ({"dims": {"width": 8}}, []),
    ],
)
def test_what_an_import_passed_over(options: dict[str, Any], said: list[str]) -> None:
    found = list(unheeded(CONTRACT, ImportOptions(**options)))
    assert [each.partition(":")[0].partition(" changed")[0] for each in found] == said

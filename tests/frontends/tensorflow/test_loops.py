"""Loops stay loops; where the number of steps can be found, the unroll pass can write them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.ir.calls import describe_call, run_call
from dlpipe.passes.registry import pass_call

from .conftest import Import, load, worst

TOLERANCE = 1e-5
MODELS = {
    "made/tf221/tf1_while_v1.pb": ("Loop", 10),
    "made/tf221/tf1_while_v2.pb": ("Loop", 10),
    "made/tf221/savedmodel_rnn": ("Loop", 10),
    "models/arm_ml_kws/LSTM_S.pb": ("Scan", 25),
}


@pytest.mark.parametrize(("file", "loop", "steps"), [(file, *expected) for file, expected in MODELS.items()])
def test_loops_are_kept_and_can_be_written_out(
    shared: Path, imported: Import, work: Any, file: str, loop: str, steps: int
) -> None:
    model = imported(shared / file)
    assert operators(work, model.ir)[loop] == 1
    assert loop == "Scan" or any(f"always takes {steps} steps" in note for note in model.notes)
    samples = model.samples(model.random_inputs())
    reference = model.reference(samples)
    assert worst(model.run(samples), reference) <= TOLERANCE

    unrolled, value = work(pass_call("unroll"), {"ir": model.ir})
    assert value["unrolled"][0]["steps"] == steps
    assert value["left"] == []
    assert not {"Loop", "Scan"} & set(operators(work, unrolled))
    out, _ = work(run_call(), {"ir": unrolled, "samples": samples})
    assert worst(load(out / "outputs.npz"), reference) <= TOLERANCE


@pytest.mark.parametrize(("name", "steps"), [("loop_counted", 5), ("loop_in_branch", 3), ("loop_until", None)])
def test_conditions(made: Path, imported: Import, work: Any, name: str, steps: int | None) -> None:
    """Those that depend on constants only are gone; one that asks the data stays, and so does its loop."""
    model = imported(made / f"{name}.pb", outputs=("y",))
    samples = model.samples({"x": np.linspace(0.5, 3, 12, dtype=np.float32).reshape(3, 1, 4)})
    reference = model.reference(samples)
    assert worst(model.run(samples), reference) <= TOLERANCE
    unrolled, value = work(pass_call("unroll"), {"ir": model.ir})
    if steps is None:
        assert not any("always takes" in note for note in model.notes)
        assert value["left"][0]["reason"]
        return
    assert [each["steps"] for each in value["unrolled"]] == [steps]
    out, _ = work(run_call(), {"ir": unrolled, "samples": samples})
    assert worst(load(out / "outputs.npz"), reference) <= TOLERANCE


def operators(work: Any, ir: Path) -> dict[str, int]:
    _, value = work(describe_call(), {"ir": ir})
    found: dict[str, int] = value["operators"]
    return found

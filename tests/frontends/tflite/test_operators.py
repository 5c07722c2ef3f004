"""Every operator on its own, made by TensorFlow's converter or packed by hand: LiteRT and the ONNX model agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported

from .conftest import FRONTEND, OPTIONS, Compare, sniffed

pytestmark = pytest.mark.slow

MAKER = Path(__file__).parent / "making" / "worker.py"
KINDS = ("float", "float16", "dynamic", "int8", "int16")
FEWEST = {"float": 123, "float16": 2, "dynamic": 10, "int8": 70, "int16": 60, "crafted": 22}
REFUSED_BY_LITERT = {"pad_value.int16", "squared_difference.int16"}
REFUSED = {"flex.crafted": "Select TF", "stateful.crafted": "SVDF is not handled"}
# Steps of 2^-15: LiteRT looks its int16 curves up in a table.
STEPS = {"tanh.int16": 2}


@pytest.fixture(scope="session")
def made(pool: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of NAME.KIND.tflite."""
    folder = tmp_path_factory.mktemp("operators")
    failed = pool.run(Call("tensorflow", MAKER, "make", {"kinds": list(KINDS)}), {}, folder)
    assert all("not yet supported" in why for why in failed.values()), failed
    assert {name.rpartition(".")[2] for name in failed} <= {"int16"}
    return folder


@pytest.mark.parametrize("kind", FEWEST)
def test_operators(made: Path, compare: Compare, kind: str) -> None:
    wrong, count = {}, 0
    for file in sorted(made.glob(f"*.{kind}.tflite")):
        name = file.name.removesuffix(".tflite")
        if name in REFUSED_BY_LITERT or name in REFUSED:
            continue
        found, count = compare(file, count=1), count + 1
        limit = STEPS.get(name, 1) if kind in ("int8", "int16") else 1e-6
        if not found.worst() <= limit:
            wrong[name] = found.worst()
    assert not wrong
    assert count >= FEWEST[kind]


def test_objects_are_found_and_counted(made: Path, compare: Compare) -> None:
    found = compare(made / "detection.crafted.tflite")
    boxes, classes, scores, count = found.made.values()
    assert boxes.shape == (2, 1, 6, 4)
    assert set(np.unique(classes)) <= {0, 1, 2}
    assert (np.diff(scores) <= 0).all()
    assert (count > 0).all()


@pytest.mark.parametrize(("name", "why"), REFUSED.items())
def test_what_is_refused_is_named(made: Path, work: Any, name: str, why: str) -> None:
    file = made / f"{name}.tflite"
    with pytest.raises(Unsupported, match=why) as caught:
        work(FRONTEND.import_call(sniffed(file.name), OPTIONS), {"source": work.source(file)})
    assert caught.value.where["op"] in ("FlexErf", "SVDF")

"""Arrays that are bound to a model's inputs, as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.data import prepare_call
from dlpipe.errors import BadModel
from tests.conftest import Bench


def bound(bench: Bench, folder: Path, array: Any, dtype: str) -> Any:
    for name in ("ir", "data"):
        (folder / name).mkdir()
    port = {"name": "x", "dtype": dtype, "shape": [1, array.shape[1]]}
    (folder / "ir" / "contract.json").write_text(json.dumps({"inputs": [port]}))
    np.savez(folder / "data" / "samples.npz", x=array)
    _, out = bench.run(prepare_call(10, 0, []), ir=folder / "ir", data=folder / "data")
    with np.load(out / "samples.npz") as stored:
        return stored["x"][:, 0]


@pytest.mark.parametrize(("kind", "dtype"), [(np.uint8, "int8"), (np.int64, "uint8"), (np.int16, "int8")])
def test_whole_numbers_that_the_input_cannot_hold(bench: Bench, tmp_path: Path, kind: Any, dtype: str) -> None:
    """They wrapped: pictures of 0 to 255 were fed to int8 models as half of their negative."""
    array = np.array([[0, 100, 127]], kind)
    np.testing.assert_array_equal(bound(bench, tmp_path, array, dtype), array)
    (tmp_path / "more").mkdir()
    with pytest.raises(BadModel, match=rf"input x takes {dtype}, and the data holds numbers from 0 to (200|300)"):
        bound(bench, tmp_path / "more", np.array([[0, 100, 200 if kind is np.uint8 else 300]], kind), dtype)

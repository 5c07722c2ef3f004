"""Networks that nnef-tools wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.mark.parametrize("name", ["net13", "net17", "net21"])
def test_a_net_of_nnef_tools(nnef: Any, shared: Path, name: str) -> None:
    with np.load(shared / "made/nnef/net_ref.npz") as file:
        x, y = file["x"], file["y"]
    ran = nnef.run(nnef.work.source(shared / f"made/nnef/{name}.nnef"), {"external1": x[None]})
    assert ran.kind == "original"
    assert ran.difference() < 1e-5
    assert float(np.abs(ran.outputs["softmax1"][0] - y).max()) < 1e-5

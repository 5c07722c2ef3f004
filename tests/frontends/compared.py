"""An import and its original, both run on the same samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.frontends.imported import Arrays


@dataclass
class Ran:
    """`ir`: the imported folder; `reference`, `outputs`: output -> [samples, *shape]."""

    ir: Path
    contract: dict[str, Any]
    notes: list[str]
    reference: Arrays
    outputs: Arrays

    def shapes(self, side: str) -> dict[str, list[Any]]:
        return {port["name"]: port["shape"] for port in self.contract[side]}

    def check(self, limit: float = 1e-5) -> None:
        """Raises AssertionError where the import departs by more than `limit` of an output's range."""
        assert self.reference
        for name, want in self.reference.items():
            got = self.outputs[name]
            assert (got.shape, got.dtype) == (want.shape, want.dtype), name
            span = max(float(np.ptp(want.astype(np.float64))), 1e-6)
            np.testing.assert_allclose(got, want, rtol=0, atol=limit * span, err_msg=name)

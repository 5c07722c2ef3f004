"""Every function that is converted, in a model that CNTK itself saved, gives what CNTK itself computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends import KIT
from dlpipe.frontends.cntk import CntkFrontend
from dlpipe.ir import calls
from tests.frontends.cntk.cases import CASES, Shapes

pytestmark = [pytest.mark.interpreter]
FRONTEND = CntkFrontend()
MAKER = Path(__file__).with_name("making") / "worker.py"
SNIFFED = Sniffed("cntk/model", "cntk", "model.model")


def make(work: Any, inputs: Shapes, code: str) -> Path:
    params = {
        "code": code,
        "inputs": {name: list(shape) for name, shape in inputs.items()},
        "sequences": [name for name in inputs if name == "s"],
    }
    return Path(work(Call("cntk", MAKER, "make", params, libraries=(KIT, CntkFrontend.room)), {})[0])


def feeds(inputs: Shapes) -> dict[str, Any]:
    """[1, N, (T), *shape] for each: one sample of the model's batch of two."""
    random = np.random.default_rng(3)
    fronts = {"s": (1, 2, 5)}
    return {
        name: random.uniform(-1, 1, (*fronts.get(name, (1, 2)), *shape)).astype(np.float32)
        for name, shape in inputs.items()
    }


@pytest.mark.parametrize("name", CASES)
def test_operator(work: Any, name: str) -> None:
    inputs, code = CASES[name]
    source = make(work, inputs, code)
    ir, _ = work(FRONTEND.import_call(SNIFFED, ImportOptions()), {"source": source})
    samples = work.new_folder()
    np.savez(samples / "samples.npz", **feeds(inputs))
    ours, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    theirs, value = work(
        FRONTEND.reference_call(SNIFFED, ImportOptions()), {"source": source, "imported": ir, "samples": samples}
    )
    assert value["kind"] == "original"
    with np.load(ours / "outputs.npz") as found, np.load(theirs / "outputs.npz") as wanted:
        assert set(found) == set(wanted)
        for output in wanted:
            assert np.isfinite(wanted[output]).all()
            assert found[output].shape == wanted[output].shape
            tolerance = 1e-4 * max(float(np.ptp(wanted[output])), 1e-3)
            np.testing.assert_allclose(found[output], wanted[output], rtol=1e-5, atol=tolerance)

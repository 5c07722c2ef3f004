"""Every operator that is converted, in a net that Caffe2 itself wrote, gives what Caffe2 itself computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.caffe2 import Caffe2Frontend
from dlpipe.ir import calls
from tests.frontends.caffe2.cases import CASES, Case
from tests.frontends.caffe2.cases_detection import DETECTION
from tests.frontends.caffe2.cases_int8 import INT8

pytestmark = [pytest.mark.interpreter, pytest.mark.slow]
FRONTEND = Caffe2Frontend()
MAKER = Path(__file__).with_name("nets.py")


def make(work: Any, case: Case, **params: Any) -> Path:
    params = {
        "operators": [list(each) for each in case.operators],
        "weights": {name: dict(weight) for name, weight in case.weights.items()},
        "data": list(case.shapes),
        "outputs": list(case.outputs),
        **params,
    }
    return Path(work(Call("caffe2", MAKER, "make", params), {})[0])


def feeds(case: Case) -> dict[str, Any]:
    random = np.random.default_rng(3)
    found = {}
    for name, shape in case.shapes.items():
        if isinstance(shape, dict):
            found[name] = np.array(shape["values"], shape["dtype"])
        else:
            found[name] = random.uniform(case.low, case.high, shape).astype(np.float32)
    return found


@pytest.mark.parametrize("case", [*CASES, *DETECTION, *INT8], ids=str)
def test_operator(work: Any, case: Case) -> None:
    source = make(work, case)
    fed = feeds(case)
    given = {name: {"shape": list(array.shape), "dtype": array.dtype.name} for name, array in fed.items()}
    sniffed, options = Sniffed("caffe2/netdef", "caffe2", "predict_net.pb"), ImportOptions(inputs=given)
    ir, _ = work(FRONTEND.import_call(sniffed, options), {"source": source})
    samples = work.new_folder()
    np.savez(samples / "samples.npz", **{name: array[None] for name, array in fed.items()})
    ours, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    theirs, value = work(
        FRONTEND.reference_call(sniffed, options), {"source": source, "imported": ir, "samples": samples}
    )
    assert value["kind"] == "original"
    with np.load(ours / "outputs.npz") as found, np.load(theirs / "outputs.npz") as wanted:
        assert set(found) == set(wanted)
        for name in wanted:
            assert found[name].shape == wanted[name].shape
            assert np.isfinite(wanted[name]).all()
            spread = float(np.ptp(wanted[name].astype(np.float64))) if wanted[name].size else 0.0
            tolerance = 1e-4 * max(spread, 1e-3) + case.step
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, atol=tolerance)

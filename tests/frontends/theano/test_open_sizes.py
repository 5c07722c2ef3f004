"""A Theano graph says no sizes: where the made-up ones do not fit, the error says which were taken and what to give."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.errors import StageFailed
from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest, import_options
from dlpipe.pipeline.session import Session

pytestmark = [pytest.mark.slow, pytest.mark.interpreter]


def _request(shared: Path, shape: list[str]) -> ConvertRequest:
    options = import_options(None, None, shape, True, None)
    return ConvertRequest(str(shared / "made/theano105/cnn_function.pkl"), (), options=options)


def test_sizes_that_do_not_fit(session: Session, shared: Path) -> None:
    with pytest.raises(StageFailed, match="number of input channels") as caught:
        prove_import(session, _request(shared, []))
    assert "x_1=1, x_2=1, x_3=1" in str(caught.value.hint)
    assert "--shape" in str(caught.value.hint)


def test_sizes_that_are_given(session: Session, shared: Path) -> None:
    prove_import(session, _request(shared, ["x_1=3", "x_2=8", "x_3=8"]))
    assert session.executor.outcomes["fidelity:import"].value["passed"]

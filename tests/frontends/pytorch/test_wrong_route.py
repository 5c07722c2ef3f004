"""torch.jit.trace, and the exporter behind it, follow one side of a branch that hangs on a value, and say nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.errors import GateFailed, Unsupported
from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session

NETS = Path(__file__).with_name("nets.py")


def test_a_branch_that_was_traced_away_is_seen(ran: Any, made: Path) -> None:
    options: dict[str, Any] = {"factory": "nets:Branching", "inputs": {"x": {"shape": [1, 4], "dtype": None}}}
    for route in ("dynamo", "trace"):
        with pytest.raises(Unsupported, match="data-dependent"):
            ran(made / "branching.pth", "state-dict", NETS, route=route, **options)
    # The example that is traced is noise around zero: these samples take the other side.
    samples = {"x": np.full((2, 1, 4), 90, np.float32)}
    found = ran(made / "branching.pth", "state-dict", NETS, route="torchscript", samples=samples, **options)
    with pytest.raises(AssertionError, match="output"):
        found.check(1e-4)


def test_it_is_refused_and_its_layer_named(session: Session, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in (made / "branching.pth", NETS):
        shutil.copy(path, folder)
    np.savez(tmp_path / "data.npz", x=np.full((4, 4), 90, np.float32), y=np.zeros(4, np.int64))
    inputs = {"x": {"shape": [1, 4], "dtype": None}}
    options = ImportOptions(inputs=inputs, factory="nets:Branching", route="torchscript")
    request = ConvertRequest(
        model=str(folder / "branching.pth"), targets=(), data=str(tmp_path / "data.npz"), options=options
    )
    with pytest.raises(GateFailed, match="from the layer second on") as caught:
        prove_import(session, request)
    assert caught.value.where["agrees_until"] == "first"

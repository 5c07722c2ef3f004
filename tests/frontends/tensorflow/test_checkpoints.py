"""Checkpoints with their MetaGraphDef: frozen, without what only training needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import UserError

from .conftest import FRONTEND, TensorFlowImported, load

TOLERANCE = 1e-5
NAME = "model.ckpt-100"


@pytest.mark.parametrize("version", ["tf215", "tf221"])
def test_given_checkpoints(shared: Path, work: Any, version: str) -> None:
    model = _import(work, shared / "made" / version / "tf1_ckpt", f"{NAME}.meta")
    given = load(shared / "made" / version / "tf1_io.npz")
    (port,), (out,) = model.contract.inputs, model.contract.outputs
    samples = model.samples({port.name: given["x"][:, None].astype(port.dtype)})
    assert np.abs(model.run(samples)[out.name][:, 0] - given["y"]).max() <= TOLERANCE * np.ptp(given["y"])
    assert model.worst(samples) <= TOLERANCE


def test_a_training_graph(made: Path, work: Any) -> None:
    """Loss, gradients, optimizer, summaries and saver are left out; dropout is off."""
    model = _import(work, made / "training", "net.meta")
    assert [port.name for port in model.contract.inputs] == ["x"]
    assert [port.name for port in model.contract.outputs] == ["probability"]
    assert model.worst(model.samples(model.random_inputs())) <= TOLERANCE


def test_a_graph_that_ends_in_its_loss(made: Path, work: Any) -> None:
    with pytest.raises(UserError, match="and no prediction") as caught:
        _import(work, made / "only_loss", "net.meta")
    assert "these are measured: logits" in (caught.value.hint or "")
    model = _import(work, made / "only_loss", "net.meta", outputs=("logits",))
    assert model.worst(model.samples(model.random_inputs())) <= TOLERANCE


def test_missing_and_damaged_files(made: Path, work: Any) -> None:
    folder = work.source(made / "training")
    (folder / "net.index").unlink()
    with pytest.raises(UserError, match="variables of net are missing"):
        _import(work, folder, "net.meta")
    folder = work.source(made / "training")
    next(folder.glob("*.data*")).write_bytes(b"short")
    with pytest.raises(UserError, match="cannot restore"):
        _import(work, folder, "net.meta")
    folder = work.source(made / "training")
    (folder / "net.meta").write_bytes((folder / "net.meta").read_bytes()[:500])
    with pytest.raises(UserError, match="not a whole TensorFlow MetaGraphDef"):
        _import(work, folder, "net.meta")


def _import(work: Any, folder: Path, entry: str, **options: Any) -> TensorFlowImported:
    source = work.source(folder)
    sniffed = Sniffed("tensorflow/metagraph", "tensorflow", entry)
    chosen = ImportOptions(**options)
    ir, _ = work(FRONTEND.import_call(sniffed, chosen), {"source": source})
    return TensorFlowImported(work, FRONTEND, "tensorflow 2.", sniffed, chosen, source, ir, list(work.notes))

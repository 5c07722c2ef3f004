"""Graphs written with the kit are valid, hold no more than their outputs need, and name what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import BadModel
from dlpipe.frontends import KIT
from dlpipe.ir import calls

_WORKER = """
import numpy as np
from dlpipe_worker import operation
from ..kit.emit import Graph

@operation
def build(request):
    graph = Graph("made")
    graph.input("x", "float32", ["N", 3])
    graph.input("unused", "float32", [1])
    weight = graph.constant(np.arange(6, dtype=np.float32).reshape(3, 2), "w")
    made = graph.node("MatMul", ["x", weight], "fc", name="fc")
    graph.node("Relu", [graph.node("Neg", ["unused"], name="dead")], name="dead")
    graph.node(request.params["last"], [made], "y", name="last", axis=request.params.get("axis"))
    graph.output("y", "float32", ["N", 2])
    return graph.save(request.out, labels=["a", "b"])
"""


@pytest.fixture
def worker(tmp_path: Path) -> Path:
    room = tmp_path / "house" / "room"
    room.mkdir(parents=True)
    shutil.copytree(KIT, room.parent / "kit")  # a library lies beside the room
    (room / "worker.py").write_text(_WORKER)
    return room / "worker.py"


def _build(work: Any, worker: Path, **params: Any) -> Path:
    out, _ = work(Call("core", worker, "build", params, libraries=(worker.parents[1] / "kit",)), {})
    return Path(out)


def test_a_graph(work: Any, worker: Path) -> None:
    ir = _build(work, worker, last="Softmax", axis=-1)
    contract = json.loads((ir / "contract.json").read_text())
    assert [port["name"] for port in contract["inputs"]] == ["x"]
    assert contract["labels"] == ["a", "b"]
    _, described = work(calls.describe_call(), {"ir": ir})
    assert described["operators"] == {"MatMul": 1, "Softmax": 1}
    assert [node["name"] for node in described["nodes"]] == ["fc", "last"]
    samples = work.new_folder()
    np.savez(samples / "samples.npz", x=np.ones((1, 2, 3), np.float32))
    out, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    with np.load(out / "outputs.npz") as file:
        np.testing.assert_allclose(file["y"][0].sum(-1), 1, atol=1e-6)


def test_the_same_bytes_every_time(work: Any, worker: Path) -> None:
    first, second = (_build(work, worker, last="Relu") for _ in range(2))
    assert (first / "model.onnx").read_bytes() == (second / "model.onnx").read_bytes()


def test_an_invalid_graph_is_refused(work: Any, worker: Path) -> None:
    with pytest.raises(BadModel, match="not valid ONNX"):
        _build(work, worker, last="NoSuchOperator")

"""Converters that finish cleanly with wrong numbers: dlpipe refuses what they make, names the layer, takes its own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends import KIT
from dlpipe.frontends.caffe import CaffeFrontend
from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.registry import Registry

from .conftest import caffemodel

pytestmark = [pytest.mark.slow, pytest.mark.interpreter]
DEFINITIONS = Path(__file__).parents[2] / "toolchains" / "definitions"
WORKERS = Path(__file__).with_name("other_converters")

INPUT = """name: "net"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }
"""
CONV = """
layer { name: "first" type: "Convolution" bottom: "data" top: "first"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "second" type: "Convolution" bottom: "first" top: "second"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
"""
NETS = {
    "sum": 'type: "Eltwise" bottom: "first" bottom: "second" eltwise_param { operation: SUM coeff: 1 coeff: -0.5 }',
    "average": 'type: "Pooling" bottom: "second" pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 }',
    "response": 'type: "LRN" bottom: "second" lrn_param { local_size: 5 alpha: 0.5 beta: 0.75 }',
}
LAST = """
layer { name: "fault" top: "fault" %s }
layer { name: "act" type: "Sigmoid" bottom: "fault" top: "act" }
"""


class Other(CaffeFrontend):
    """Caffe with another converter as its preferred route."""

    def __init__(self, other: str) -> None:
        self.other = other

    def routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        return (self.other, "own")

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        if options.route != self.other:
            return super().import_call(sniffed, options)
        params: dict[str, Any] = {"entry": sniffed.entry, "output": "act", "shapes": [[1, 3, 16, 16], [1, 4, 16, 16]]}
        if self.other == "caffe2onnx":
            return Call("caffe2onnx", WORKERS / "caffe2onnx_worker.py", "import", params, libraries=(KIT,))
        worker = WORKERS / "x2paddle_worker.py"
        return Call("paddle", worker, "import", params, resources=("x2paddle",), libraries=(KIT,))


@pytest.fixture
def session(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    known = partial(Toolchains, registry=Registry([DEFINITIONS]))
    monkeypatch.setattr("dlpipe.pipeline.session.Toolchains", known)
    with Session() as opened:
        yield opened


@pytest.mark.parametrize(("tool", "net"), [("caffe2onnx", "sum"), ("x2paddle", "average"), ("x2paddle", "response")])
def test_a_wrong_route(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, net: str) -> None:
    monkeypatch.setattr("dlpipe.pipeline.imported.frontends", lambda: {"caffe": Other(tool)})
    monkeypatch.setattr("dlpipe.frontends.registry.frontends", lambda: {"caffe": Other(tool)})
    random = np.random.default_rng(5)
    blobs = {
        "first": [random.standard_normal((4, 3, 3, 3)), random.standard_normal(4)],
        "second": [random.standard_normal((4, 4, 3, 3)), random.standard_normal(4)],
    }
    (tmp_path / "net.prototxt").write_text(INPUT + CONV + LAST % NETS[net])
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(blobs))
    proven = prove_import(session, ConvertRequest(model=str(tmp_path / "net.prototxt"), targets=()))
    assert list(proven.refused) == [tool]
    assert "the import is wrong" in proven.refused[tool]
    assert "(at fault)" in proven.refused[tool]
    assert proven.imported.options.route == "own"
    assert session.executor.outcomes["fidelity:import"].value["passed"]

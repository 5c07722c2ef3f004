"""A small task that a small net learns in seconds, and a graph held against ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlpipe.passes
from dlpipe.contracts.call import Call
from dlpipe.ir import ARRAYS, TORCH_MODULE

PASSES = Path(dlpipe.passes.__file__).parent
WORKER = Path(__file__).parent / "running" / "worker.py"
LIBRARIES = (PASSES / "training", PASSES / "graph", TORCH_MODULE, ARRAYS)


@dataclass(frozen=True)
class Forward:
    """`error`: the largest difference of any output from ONNX Runtime's, relative to the largest value
    (or to `least`, where that is smaller)."""

    error: float
    way: str
    learned: list[str]
    frozen: list[str]


@pytest.fixture(scope="session")
def forward(bench) -> Callable[..., Forward]:
    def attempt(ir: Path, samples: Path | None = None, least: float = 1e-6) -> Forward:
        samples = samples or bench.samples(ir)
        call = Call("training", WORKER, "forward", libraries=LIBRARIES)
        value, out = bench.run(call, ir=ir, samples=samples)
        expected = bench.outputs(ir, samples)
        error = 0.0
        with np.load(out / "outputs.npz") as found:
            for name, array in expected.items():
                assert found[name].shape == array.shape
                scale = max(float(np.abs(array.astype(np.float64)).max(initial=0)), least)
                difference = np.abs(found[name].astype(np.float64) - array.astype(np.float64)).max(initial=0)
                error = max(error, float(difference) / scale)
        return Forward(error, value["way"], value["learned"], value["frozen"])

    return attempt


@pytest.fixture(scope="session")
def forward_text(bench, forward) -> Callable[..., Forward]:
    def attempt(body: str, *, opset: int = 18, **build: Any) -> Forward:
        text = f'<ir_version: 8, opset_import: ["" : {opset}]> g {body}'
        return forward(bench.make_ir(bench.build(text, **build)))

    return attempt


NET = """(float[1,1,8,8] x) => (float[1,4] y) {
    a = Conv<pads=[1,1,1,1]>(x, w1, b1)  ra = Relu(a)  p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(ra)
    c = Conv<pads=[1,1,1,1]>(p, w2, b2)  rc = Relu(c)  m = GlobalAveragePool(rc)
    f = Reshape(m, shape)  g = Gemm(f, w3, b3)  y = Softmax(g)
}"""
WEIGHTS = {"w1": [8, 1, 3, 3], "b1": [8], "w2": [16, 8, 3, 3], "b2": [16], "w3": [16, 4], "b3": [4]}


@pytest.fixture(scope="session")
def net(bench) -> Path:
    """An IR folder with random weights; its batch is fixed at 1, in a Reshape too."""
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {NET}'
    return bench.make_ir(bench.build(text, weights=WEIGHTS, scale=0.3, ints={"shape": [1, 16]}))


@pytest.fixture(scope="session")
def quadrants(tmp_path_factory) -> Path:
    """A folder of 600 labelled pictures: in which quarter the bright square is."""
    folder = tmp_path_factory.mktemp("quadrants")
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 600)
    pictures = random.normal(0, 0.3, (600, 1, 1, 8, 8)).astype(np.float32)
    for picture, label in zip(pictures, labels, strict=True):
        top, left = 4 * (label // 2) + random.integers(0, 2), 4 * (label % 2) + random.integers(0, 2)
        picture[0, 0, top : top + 3, left : left + 3] += 1.0 + 0.5 * (label % 3)
    return write_samples(folder, {"x": pictures}, labels.tolist())


def write_samples(folder: Path, arrays: dict[str, Any], labels: list[Any] | None) -> Path:
    folder.mkdir(exist_ok=True)
    np.savez(folder / "samples.npz", **arrays)
    if labels is not None:
        (folder / "labels.json").write_text(json.dumps({"labels": labels}))
    return folder


@pytest.fixture(scope="session")
def accuracy(bench) -> Callable[[Path, Path], float]:
    def measure(ir: Path, samples: Path) -> float:
        outputs = next(iter(bench.outputs(ir, samples).values()))
        labels = np.array(json.loads((samples / "labels.json").read_text())["labels"])
        return float((outputs.reshape(len(labels), -1).argmax(1) == labels).mean())

    return measure

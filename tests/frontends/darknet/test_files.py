"""A trained network, the ways weights are stored, files that do not belong together, and hostile ones."""

from __future__ import annotations

import json
import random
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.errors import BadModel, Unsupported

from .conftest import HEADER
from .test_layers import BIAS, CONV, HEAD, KERNEL, NET, YOLO, weights

TRAINED = "models/yolo_fastest/yolo-fastest-1.1"


@pytest.fixture
def trained(darknet: Any, shared: Path) -> Path:
    cfg, data = (shared / f"{TRAINED}.{each}" for each in ("cfg", "weights"))
    return Path(darknet.source(cfg.read_text(), data.read_bytes()))


def test_a_trained_detector(darknet: Any, trained: Path) -> None:
    ran = darknet.run(trained)
    assert ran.difference() < 1e-5
    assert {port["name"]: port["shape"] for port in ran.contract["outputs"]} == {
        "yolo_121": ["N", 300, 85],
        "yolo_130": ["N", 1200, 85],
    }
    assert ran.contract["metadata"]["boxes"]["yolo_121"]["row"][:2] == ["x", "y"]


def test_every_layer_can_be_seen(darknet: Any, trained: Path, work: Any) -> None:
    ir = darknet.ir(trained)
    samples = work.new_folder()
    data = np.random.default_rng(0).random([1, 1, 3, 320, 320]).astype(np.float32)
    np.savez(samples / "samples.npz", data=data)
    call = darknet.frontend.layers_call(darknet.sniffed, ImportOptions())
    out, value = work(call, {"source": trained, "imported": ir, "samples": samples})
    assert len(value["layers"]) == 131
    with np.load(out / "layers.npz") as file:
        found = {name: file[str(index)] for index, name in enumerate(value["layers"])}
    names = ("convolutional_0", "shortcut_7", "maxpool_109", "upsample_123", "yolo_130")
    names = tuple(each for each in names if each in found)
    assert len(names) > 3
    asked = darknet.run(trained, feeds={"data": data}, outputs=names)
    for name in names:
        np.testing.assert_allclose(
            asked.outputs[name].ravel(), found[name].ravel(), atol=1e-5 * float(np.ptp(found[name]))
        )


def test_options(darknet: Any) -> None:
    source = darknet.source(NET + CONV, weights([BIAS, KERNEL]))
    contract = json.loads((darknet.ir(source, dims={"N": 2}) / "contract.json").read_text())
    assert contract["inputs"][0]["shape"] == [2, 4, 8, 12]
    ran = darknet.run(source, inputs={"data": {"shape": [1, 4, 16, 16]}})
    assert ran.outputs["convolutional_0"].shape == (2, 1, 8, 16, 16)
    assert ran.difference() < 1e-5
    for options in ({"inputs": {"x": {"shape": [1]}}}, {"outputs": ("x",)}):
        with pytest.raises(BadModel, match="no (input|layer) 'x'"):
            darknet.ir(source, **options)


def test_headers(darknet: Any) -> None:
    """Pictures seen: 8 bytes since version 0.2, 4 before. A version above 1000 turns matrices."""
    cfg = NET + "[connected]\noutput=5\nactivation=linear\n"
    bias, matrix = weights([(5,), (5, 384)])
    new = darknet.run(darknet.source(cfg, [bias, matrix]))
    assert new.difference() < 1e-5
    for header, arrays in (
        (struct.pack("<3ii", 0, 1, 0, 7), [bias, matrix]),
        (struct.pack("<3ii", 1001, 0, 0, 7), [bias, matrix.T]),
    ):
        ran = darknet.run(darknet.source(cfg, arrays, header))
        np.testing.assert_allclose(ran.outputs["connected_0"], new.outputs["connected_0"], rtol=1e-5, atol=1e-6)


def test_labels_and_the_same_bytes(darknet: Any) -> None:
    source = darknet.source(NET + YOLO + f"[yolo]\nmask=0,1,2\n{HEAD}", weights([(21,), (21, 4, 1, 1)]))
    (source / "labels.txt").write_text("cat\ndog\n")
    first, second = darknet.ir(source), darknet.ir(source)
    assert (first / "model.onnx").read_bytes() == (second / "model.onnx").read_bytes()
    assert json.loads((first / "contract.json").read_text())["labels"] == ["cat", "dog"]


def test_files_that_do_not_belong_together(darknet: Any) -> None:
    arrays = weights([BIAS, KERNEL])
    with pytest.raises(BadModel, match=r"needs 288 weights and net\.weights has 0 left"):
        darknet.ir(darknet.source(NET + CONV, arrays[:1]))
    with pytest.raises(BadModel, match="8 numbers more than"):
        darknet.ir(darknet.source(NET + CONV, [*arrays, arrays[0]]))
    with pytest.raises(BadModel, match="no Darknet weights file"):
        darknet.ir(darknet.source(NET + CONV, b"\xff" * 64))
    with pytest.raises(BadModel, match="too few"):
        darknet.ir(darknet.source(NET + CONV, b"\0" * 8))
    source = darknet.source(NET + CONV, arrays)
    (source / "net.weights").unlink()
    with pytest.raises(BadModel, match="no weights beside"):
        darknet.ir(source)


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ("[convolutional]\n", "does not begin with"),
        ("[net]\nwidth=3\n", "has 0 layers"),
        ("width=3\n[net]\n", "line 1"),
        (NET.replace("12", "many") + CONV, "'many'"),
        (NET + CONV.replace("filters=8", "filters=99999999999"), "beyond anything"),
        (NET.replace("width=12", "width=2000000000") + YOLO + f"[yolo]\nmask=0,1,2\n{HEAD}", "cells with"),
        (NET + CONV + "[route]\nlayers=7\n", "does not come before"),
        (NET + CONV + "[shortcut]\nfrom=-9\n", "does not come before"),
    ],
)
def test_broken_cfgs(darknet: Any, cfg: str, message: str) -> None:
    with pytest.raises(BadModel, match=message):
        darknet.ir(darknet.source(cfg, weights([BIAS, KERNEL])))


def test_operators(darknet: Any) -> None:
    _, value = darknet.work(darknet.frontend.operators_call(), {})
    assert value["operators"]["convolutional"]["support"] == "partial"
    assert value["operators"]["lstm"]["support"] == "none"


CFG = (
    NET + CONV + CONV + "[shortcut]\nfrom=-2\n[maxpool]\nsize=2\nstride=2\n[upsample]\nstride=2\n[route]\nlayers=-1,1\n"
    + YOLO + f"[yolo]\nmask=0,1,2\n{HEAD}"
)  # fmt: skip
SHAPES: list[tuple[int, ...]] = [BIAS, KERNEL, BIAS, (8, 8, 3, 3), (21,), (21, 16, 1, 1)]


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), how=st.sampled_from(["cut", "flip", "splice", "number", "weights"]))
def test_mutated_networks(darknet: Any, seed: int, how: str) -> None:
    """An import or a refusal comes out, and nothing else."""
    chance, cfg = random.Random(seed), bytearray(CFG.encode())
    data = bytearray(HEADER + b"".join(np.asarray(each, "<f4").tobytes() for each in weights(SHAPES)))
    if how == "cut":
        del cfg[chance.randrange(len(cfg)) :]
    elif how == "flip":
        for _ in range(chance.randint(1, 6)):
            cfg[chance.randrange(len(cfg))] = chance.randrange(256)
    elif how == "splice":
        at, start = chance.randrange(len(cfg)), chance.randrange(len(cfg))
        cfg[at:at] = cfg[start : start + chance.randint(1, 80)]
    elif how == "number":
        found = chance.choice(list(re.finditer(rb"-?\d+", bytes(cfg))))
        cfg[found.start() : found.end()] = chance.choice([b"0", b"-1", b"65536", b"2000000000", b"1e9", b"nan", b"3.5"])
    else:
        at = chance.randrange(len(data))
        data[at : at + chance.randint(1, 8)] = chance.randbytes(chance.randint(0, 8))
    source = darknet.source("", bytes(data))
    (source / darknet.entry).write_bytes(bytes(cfg))
    try:
        darknet.ir(source)
    except (BadModel, Unsupported) as error:
        assert error.message

"""Every pass on real models: the exact ones in their order, each held against the model before it."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from dlpipe.passes.registry import STANDARD, pass_call

MODELS = {
    "ultraface": ("models/ultraface", "version-RFB-320.onnx", {}),
    "yunet": ("models/yunet", "yunet_n_320_320.onnx", {}),
    "yunet-dynamic": ("models/yunet", "yunet_n_dynamic.onnx", {"height": 64, "width": 96}),
    "yolox": ("models/opencv_zoo", "yolox_nano.onnx", {}),
}


@pytest.fixture(scope="module", params=sorted(MODELS))
def real(request, bench, shared):
    """(ir, samples)."""
    folder, entry, dims = MODELS[request.param]
    ir = bench.make_ir(shared / folder, entry)
    return ir, bench.samples(ir, 2, **dims)


def digest(folder) -> str:
    return hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()


def test_standard_passes_are_exact(real, try_pass):
    ir, samples = real
    nodes = None
    for name in STANDARD:
        tried = try_pass(name, ir, samples)
        assert tried.error < 2e-5, name
        assert nodes is None or tried.value["nodes_after"] <= nodes
        ir, nodes = tried.ir, tried.value["nodes_after"]


def test_layout_is_exact(real, try_pass):
    assert try_pass("layout", *real).error < 2e-5


def test_fp16(real, try_pass, bench):
    tried = try_pass("fp16", *real)
    size = [(folder / "model.onnx").stat().st_size for folder in (tried.source, tried.ir)]
    assert size[1] < 0.65 * size[0]


def test_int8_shrinks(real, try_pass):
    tried = try_pass("quantize-int8", *real)
    assert tried.value["calibration"]["judged_on"] == 2
    assert tried.value["quantised_nodes"] > 50
    assert tried.after["DequantizeLinear"] > 100


@pytest.mark.parametrize("name", ["fp16", "quantize-int8", "simplify"])
def test_same_bytes_from_other_processes(name, bench, shared, toolchains, tmp_path):
    """A worker of its own each time: another hash seed, another address space."""
    from dlpipe.toolchains.pool import WorkerPool

    ir = bench.make_ir(shared / "models/ultraface", "version-RFB-320.onnx")
    inputs = {"ir": ir, "samples": bench.samples(ir, 2)}
    found = set()
    for turn in range(2):
        with WorkerPool(toolchains, tmp_path / f"w{turn}", keep_logs=tmp_path / f"l{turn}") as pool:
            pool.run(pass_call(name), inputs, tmp_path / str(turn))
        found.add(digest(tmp_path / str(turn)))
    assert len(found) == 1


def test_fidelity_of_fp16_and_int8_on_a_classifier_head(bench, try_pass, shared):
    """ultraface on made-up inputs: outputs move by at most 2 % of their range in fp16, 25 % in int8."""
    ir = bench.make_ir(shared / "models/ultraface", "version-RFB-320_without_postprocessing.onnx")
    samples = bench.samples(ir, 8)
    assert try_pass("fp16", ir, samples).error < 0.02
    errors = {method: try_pass("quantize-int8", ir, samples, method=method).error for method in ("minmax", "mse")}
    assert max(errors.values()) < 0.25, errors
    assert all(np.isfinite(error) for error in errors.values())

"""Real nets as trainable modules: what they put out, and that gradients reach their weights."""

from __future__ import annotations

import pytest

from dlpipe.passes.registry import pass_call

MODELS = {  # folder, file, dims, the way in which several samples are computed
    "ultraface": ("models/ultraface", "version-RFB-320.onnx", {}, "joined"),
    "yunet": ("models/yunet", "yunet_n_320_320.onnx", {}, "joined"),
    "yunet-dynamic": ("models/yunet", "yunet_n_dynamic.onnx", {"height": 64, "width": 96}, "joined"),
    "yolox": ("models/opencv_zoo", "yolox_nano.onnx", {}, "joined"),
}


@pytest.fixture(scope="module", params=sorted(MODELS))
def real(request, bench, shared):
    """(ir, samples, way)."""
    folder, entry, dims, way = MODELS[request.param]
    ir = bench.make_ir(shared / folder, entry)
    return ir, bench.samples(ir, 4, **dims), way


def test_forward_equals_onnx_runtime(forward, real):
    ir, samples, way = real
    tried = forward(ir, samples, least=0.01)  # its sigmoid is off by 1e-7, which is much of an output of 1e-5
    assert tried.error < 2e-4
    assert tried.way == way
    assert len(tried.learned) > 50


def test_every_weight_is_trained(bench, real):
    ir, samples, _ = real
    call = pass_call("fine-tune", steps=2, batch=2, holdout=0.0, optimizer="sgd", rate=1e-6, norm="frozen")
    noisy = bench.run(pass_call("fp16"), ir=ir)[1]  # a teacher that answers a little differently
    with pytest.raises(Exception, match="only float32 is trained"):
        bench.run(call, ir=noisy, train=samples, teacher=ir)
    value, _ = bench.run(call, ir=ir, train=samples, teacher=ir)
    assert value["steps"] == 2

"""Throughput of real models in real workers; what a batch is allowed to be."""

from __future__ import annotations

from typing import Any

import pytest

from dlpipe.errors import UserError
from dlpipe.pipeline.bench import bench as bench_models
from dlpipe.pipeline.session import Session

PLAIN = """<ir_version: 8, opset_import: ["" : 17]> net (float[N,64] x) => (float[N,16] y) { y = MatMul(x, w) }"""
# What one sample is answered depends on the others: no batch for it.
MIXING = """<ir_version: 8, opset_import: ["" : 17]> net (float[N,64] x) => (float[N,16] y) {
    all = ReduceMean<axes = [0], keepdims = 1>(x)
    other = Sub(x, all)
    y = MatMul(other, w)
}"""
FIXED = """<ir_version: 8, opset_import: ["" : 17]> net (float[1,64] x) => (float[1,16] y) { y = MatMul(x, w) }"""


def test_throughput_says_what_it_measured_and_why_it_did_not(session: Session, bench: Any) -> None:
    plain, mixing, fixed = (
        str(bench.build(text, weights={"w": [64, 16]}) / "model.onnx") for text in (PLAIN, MIXING, FIXED)
    )
    found = bench_models(session, [plain, mixing, fixed], clients=[1, 2], batches=[1, 4])
    assert list(found["timed"]) == [plain, mixing, fixed]
    points = {(each["model"], each["clients"], each["batch"]): each["cost"] for each in found["throughput"]["points"]}
    assert len(points) == 12
    for model, batch in ((plain, 1), (plain, 4), (mixing, 1), (fixed, 1)):
        for clients in (1, 2):
            figure = points[model, clients, batch]["throughput"]
            assert figure["provenance"] == "measured", figure
            assert figure["ci95"][0] <= figure["value"] <= figure["ci95"][1]
            said = f"{clients} at once, each a process of its own, batch {batch}, "
            assert said in figure["reason"] or "noisy" in figure["reason"]
    assert "otherwise than its samples one by one" in points[mixing, 1, 4]["throughput"]["reason"]
    assert points[fixed, 2, 4]["throughput"]["reason"] == "its batch is fixed: x is [1, 64]"
    assert found["timed"][plain]["cost"]["cold_start"]["provenance"] == "absent"
    assert found["timed"][plain]["cost"]["size"]["value"] > 64 * 16 * 4


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ("float[N,32] x", r"x is \['N', 32\] and x \['N', 64\]"),
        ("float[N,64] z", "calls its inputs otherwise"),
        ("float[N,64] x, float[N,64] z", "have 2 and 1 inputs"),
    ],
)
def test_models_that_cannot_be_fed_alike_are_refused(session: Session, bench: Any, inputs: str, reason: str) -> None:
    name = "x" if " x" in inputs else "z"
    header = f"net ({inputs}) => (float[N,16] y)"
    other = f"""<ir_version: 8, opset_import: ["" : 17]> {header} {{ y = MatMul({name}, w) }}"""
    wide = 32 if "32" in inputs else 64
    models = [bench.build(PLAIN, weights={"w": [64, 16]}), bench.build(other, weights={"w": [wide, 16]})]
    with pytest.raises(UserError, match=reason):
        bench_models(session, [str(each / "model.onnx") for each in models])


@pytest.mark.parametrize("clients", [[0], [65], [2, 2]])
def test_numbers_out_of_range_are_refused(session: Session, bench: Any, clients: list[int]) -> None:
    model = str(bench.build(PLAIN, weights={"w": [64, 16]}) / "model.onnx")
    with pytest.raises(UserError, match="--concurrency takes different numbers from 1 to 64"):
        bench_models(session, [model], clients=clients)

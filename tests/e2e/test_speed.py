"""What a run says of the speed of an artefact that this machine itself executes, and what `bench` says of it."""

from __future__ import annotations

import platform
import shutil

import jsonschema
import pytest

from dlpipe.report.schema import Report
from tests.conftest import Bench
from tests.e2e.user import User

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine"),
]

NET = """<ir_version: 8, opset_import: ["" : 17]> net (float[N,256] x) => (float[N,64] y) {
    h = MatMul(x, w)
    r = Relu(h)
    y = MatMul(r, v)
}"""


def test_latency_memory_energy_and_the_limit(settled_user: User, bench: Bench) -> None:
    model = settled_user.folder / "net.onnx"
    shutil.copyfile(bench.build(NET, weights={"w": [256, 512], "v": [512, 64]}) / "model.onnx", model)
    asked = ("convert", model, "-t", "x86-64", "-b", "onnxruntime", "--precision", "fp32", "-o", "speed", "--json")
    report = settled_user.ok(*asked).json
    jsonschema.Draft202012Validator(Report.json_schema()).validate(report)
    (artifact,) = report["artifacts"]
    cost = artifact["cost"]
    for key in ("latency_p50", "latency_p95", "latency_cv", "throughput", "cold_start", "warm_start", "peak_memory"):
        assert cost[key]["provenance"] == "measured", key
    low, high = cost["latency_p50"]["ci95"]
    assert low <= cost["latency_p50"]["value"] <= high
    assert cost["peak_memory"]["value"] > 10_000_000  # an interpreter with ONNX Runtime
    assert cost["energy"]["provenance"] == "measured" or cost["energy"]["reason"].startswith("no readable counter")
    macs = 256 * 512 + 512 * 64
    moved = 4 * (macs + 256 + 512 + 512 + 64)
    assert cost["intensity"]["value"] == pytest.approx(2 * macs / moved)
    assert cost["roofline"]["provenance"] == "estimated"
    assert "would take" in cost["roofline"]["reason"]
    assert set(report["environment"]["limits"]) == {"peak_f32", "peak_int8", "bandwidth"}
    (row,) = report["scorecard"]
    assert row["indicators"]["performance.inference-speed.roofline"] == cost["roofline"]

    folder = f"speed/{artifact['path']}"
    found = settled_user.ok("bench", folder, "--concurrency", "2", "--batch", "1,4", "--json").json
    for point in found["throughput"]["points"]:
        assert point["cost"]["throughput"]["provenance"] == "measured", point
    text = settled_user.ok("bench", folder).out  # answered from the store
    assert max(map(len, text.splitlines())) <= 80
    assert f"A  {folder}" in text
    done = settled_user.dlpipe("bench", folder, "--batch", "1,two")
    assert (done.code, "not '1,two'" in done.err) == (2, True)

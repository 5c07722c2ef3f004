"""hls4ml: projects are executed by their own C simulation; what cannot be one is refused with the reason."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dlpipe.errors import Unsupported
from dlpipe.ir.calls import run_call
from dlpipe.targets.registry import backend, target
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.pool import WorkerPool
from tests.targets.conftest import apart

HLS4ML = backend("hls4ml")
XILINX = target("xilinx-7")


@dataclass(frozen=True)
class Made:
    ir: Path
    samples: Path
    reference: Path

    def worst(self, folder: Path) -> float:
        """The largest difference to ONNX Runtime, in units of that output's range."""
        with np.load(folder / "outputs.npz") as found, np.load(self.reference / "outputs.npz") as wanted:
            assert set(found) == set(wanted)
            assert all(found[name].shape == wanted[name].shape for name in wanted)
            return max(float(np.abs(found[name] - wanted[name]).max() / np.ptp(wanted[name])) for name in wanted)


@pytest.fixture(scope="session")
def made(toolchains: Toolchains, pool: WorkerPool, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """The nets of da4ml's tests, in floats."""
    out = tmp_path_factory.mktemp("hls")
    python = toolchains.ensure("core").python
    assert python is not None
    models = Path(__file__).parents[1] / "da4ml" / "models.py"
    subprocess.run([python, models, out], check=True, timeout=300)

    def make(name: str) -> Made:
        one = Made(out / name / "float", out / name / "samples", out / name / "reference")
        if not one.reference.is_dir():
            pool.run(run_call(), {"ir": one.ir, "samples": one.samples}, one.reference, lambda event: None)
        return one

    return make


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shapes", "pixels"])
def test_a_project_gives_what_onnxruntime_gives(work, made, name):
    outputs, value = work.ran(HLS4ML, XILINX, made(name), "int16")
    assert value["ran_on"] == "simulator:hls4ml-csim"
    assert made(name).worst(outputs) < 0.05


def test_the_variant_is_the_width(work, made):
    formats = {
        variant: json.loads((work.built(HLS4ML, XILINX, made("shapes"), variant) / "run.json").read_text())
        for variant in HLS4ML.variants(XILINX)
    }
    assert formats["int16"]["inputs"][0]["format"] == "fixed<16,6,TRN,WRAP,0>"
    assert formats["int8"]["inputs"][0]["format"] == "fixed<8,4,TRN,WRAP,0>"


def test_what_only_the_vendor_can_tell_is_absent_with_the_reason(work, made):
    _, value = work(HLS4ML.compile_call(XILINX, "int16"), {"ir": made("shapes").ir})
    assert value["estimates"]["luts"]["provenance"] == "absent"
    assert "Vitis" in value["estimates"]["luts"]["reason"]


def test_a_compile_gives_the_same_bytes_every_time(work, made, fingerprint):
    first, second = map(fingerprint, work.twice(HLS4ML, XILINX, made("pixels"), "int16"))
    assert first == second
    assert {"run.json", "run.md", "run.py", "hls/firmware/network.cpp", "hls/build_prj.tcl"} <= set(first)


@pytest.mark.slow
def test_the_sample_program_gives_what_the_simulation_gives(work, made, toolchains, answers):
    artifact, python = work.built(HLS4ML, XILINX, made("shapes"), "int16"), toolchains.ensure("hls4ml").python
    done = subprocess.run([python, artifact / "run.py"], capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout.startswith("y [[")
    outputs, _ = work.ran(HLS4ML, XILINX, made("shapes"), "int16")
    with np.load(outputs / "outputs.npz") as simulated:
        assert apart(answers(python, artifact, made("shapes").samples), [simulated["y"][0]]) == 0


def test_an_operator_that_it_does_not_read_is_named(work, made):
    with pytest.raises(Unsupported, match="TopK"):
        work.built(HLS4ML, XILINX, made("sorted"), "int16")


def test_preflight():
    node = {"name": "best", "op": "TopK", "inputs": [], "outputs": []}
    model = {
        "operators": {"TopK": 1, "Gemm": 1},
        "nodes": [node],
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["N", "width"]}],
        "macs": 900_000,
    }
    found = HLS4ML.refusals(XILINX, "int16", model)
    assert [refusal.op for refusal in found] == ["TopK", None, None]
    assert "free dim width" in found[1].reason
    assert "900,000 times" in found[2].reason
    assert "no FPGA" in HLS4ML.refusals(target("arm64"), "int16", model)[0].reason

"""da4ml: circuits are executed, bit by bit, in a simulator; what cannot be one is refused with the reason."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlpipe.errors import Unsupported
from dlpipe.targets.registry import backend, target
from tests.targets.conftest import apart

DA4ML = backend("da4ml")


def with_options(name, **options):
    """A target as a user's own file could have it. Synthesis only where a test is about it."""
    found = target(name)
    quick = {"simulator": "icarus", "synthesis_seconds": 0, "place_and_route_seconds": 0}
    return replace(found, options={**found.options, "da4ml": {**found.options["da4ml"], **quick, **options}})


QUICK = with_options("ecp5")


@pytest.mark.parametrize("name", ["shapes", "windows", "meeting"])
def test_a_circuit_gives_what_onnxruntime_gives(work, quantised, name):
    outputs, value = work.ran(DA4ML, QUICK, quantised(name), "int8")
    assert value["ran_on"] == "simulator:icarus"
    assert value["bit_exact_vectors"] == 32
    assert quantised(name).worst(outputs) < 0.02


@pytest.mark.slow
def test_verilator_gives_the_same_bits(work, quantised):
    artifact = work.built(DA4ML, QUICK, quantised("shapes"), "int8")
    inputs = {"artifact": artifact, "samples": quantised("shapes").samples}
    found = []
    for simulator in ("icarus", "verilator"):
        outputs, value = work(DA4ML.run_call(with_options("ecp5", simulator=simulator), "int8"), inputs)
        assert value["ran_on"] == f"simulator:{simulator}"
        found.append((outputs / "outputs.npz").read_bytes())
    assert found[0] == found[1]


def test_four_bits_are_smaller_and_still_right(work, quantised):
    model = quantised("shapes")
    outputs, _ = work.ran(DA4ML, QUICK, model, "int4")
    with np.load(outputs / "outputs.npz") as found:
        right = (found["y"].reshape(len(model.labels), -1).argmax(axis=1) == model.labels).mean()
    assert right >= 0.9
    costs = {
        variant: described(work.built(DA4ML, QUICK, model, variant))["circuit"]["da4ml_estimate"]["luts"]
        for variant in ("int8", "int4")
    }
    assert costs["int4"] < 0.7 * costs["int8"]


def test_a_circuit_that_differs_from_its_testbench_is_no_pass(work, quantised, tmp_path):
    artifact = work.built(DA4ML, QUICK, quantised("shapes"), "int8", fresh=True)
    expected = artifact / "testbench" / "expected.hex"
    first, *others = expected.read_text().splitlines()
    expected.chmod(0o644)
    expected.write_text("\n".join([f"{int(first, 16) ^ 1:0{len(first)}x}", *others]) + "\n")
    inputs = {"artifact": artifact, "samples": quantised("shapes").samples}
    with pytest.raises(Exception, match="disagree on 1 of 32 vectors"):
        work(DA4ML.run_call(QUICK, "int8"), inputs)


def test_a_compile_gives_the_same_bytes_every_time(work, quantised, fingerprint):
    first, second = map(fingerprint, work.twice(DA4ML, QUICK, quantised("meeting"), "int8"))
    assert first == second
    assert {"run.json", "run.md", "run.py", "rtl/network_wrapper.v", "testbench/testbench.v"} <= set(first)
    assert any(name.startswith("rtl/memfiles/") for name in first)  # the table of the sigmoid


def test_the_sample_program_and_the_testbench_run(work, quantised, toolchains, answers, tmp_path):
    artifact = work.built(DA4ML, QUICK, quantised("windows"), "int8")
    outputs, _ = work(DA4ML.run_call(QUICK, "int8"), {"artifact": artifact, "samples": quantised("windows").samples})
    environment = {**os.environ, "PATH": f"{programs(toolchains, tmp_path)}:{os.environ['PATH']}"}
    python = toolchains.ensure("da4ml").python
    answered = answers(python, artifact, quantised("windows").samples, PATH=environment["PATH"])
    with np.load(outputs / "outputs.npz") as simulated:
        assert apart(answered, [simulated["y"][0]]) == 0
    bench = ["iverilog", "-g2012", "-o", tmp_path / "t.vvp", "-y", "../rtl", "-y", "../rtl/static", "testbench.v"]
    subprocess.run(bench, cwd=artifact / "testbench", env=environment, check=True, timeout=300)
    done = subprocess.run(
        ["vvp", "-n", tmp_path / "t.vvp"],
        cwd=artifact / "testbench",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert "PASSED: 32 vectors" in done.stdout


def programs(toolchains, folder: Path) -> Path:
    """A folder with iverilog and vvp as they would be where Icarus Verilog is installed."""
    root = toolchains.ensure("hdl-simulators").root
    own = root / "usr/lib/x86_64-linux-gnu"
    loader = next(path for path in root.rglob("ld-linux-x86-64.so.2"))
    start = f"#!/bin/sh\nexec {loader} --library-path {root}/lib/x86_64-linux-gnu:{own}"
    (folder / "bin").mkdir()
    (folder / "ivl").mkdir()
    for file in (own / "ivl").iterdir():
        if file.name in ("ivl", "ivlpp"):
            (folder / "ivl" / file.name).write_text(f'{start} {file} "$@"\n')
            (folder / "ivl" / file.name).chmod(0o755)
        else:
            (folder / "ivl" / file.name).symlink_to(file)
    for name, option in (("iverilog", f"-B {folder / 'ivl'}"), ("vvp", f"-M {own / 'ivl'}")):
        (folder / "bin" / name).write_text(f'{start} {root}/usr/bin/{name} {option} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin"


@pytest.mark.slow
def test_ice40_is_placed_and_routed(work, quantised):
    """The whole open flow, on a net of 120 multiplications."""
    small = with_options("ice40", synthesis_seconds=600, place_and_route_seconds=600)
    out, value = work(DA4ML.compile_call(small, "int4"), {"ir": quantised("shapes").ir})
    figures = value["estimates"]
    assert 0 < figures["luts"]["value"] < 7680
    assert figures["luts"]["unit"] == "LUT4 cells"
    assert figures["fmax"]["value"], figures["fmax"]["reason"]
    assert figures["circuit_latency"]["unit"] == "ns"
    assert (out / "network.bit").stat().st_size > 10_000
    assert "nextpnr-ice40" in value["tool"]


@pytest.mark.slow
def test_what_takes_too_long_is_absent_with_the_reason(work, quantised):
    hurried = with_options("xilinx-7", synthesis_seconds=1)
    out, value = work(DA4ML.compile_call(hurried, "int8"), {"ir": quantised("windows").ir})
    assert value["estimates"]["luts"]["provenance"] == "absent"
    assert "not done within 1 s" in value["estimates"]["luts"]["reason"]
    assert "its figures are absent" in work.notes[0]
    assert (out / "build_vivado.tcl").is_file()


def test_what_does_not_fit_is_refused(work, quantised):
    with pytest.raises(Unsupported, match="does not fit iCE40HX8K"):
        work.built(DA4ML, with_options("ice40"), quantised("large"), "int8")


def test_an_operator_without_wires_is_named(work, quantised):
    with pytest.raises(Unsupported, match="TopK") as refused:
        work.built(DA4ML, QUICK, quantised("sorted"), "int8")
    assert refused.value.where["node"] == "best"


def test_preflight():
    node = {"name": "best", "op": "TopK", "inputs": [], "outputs": []}
    model = {
        "operators": {"TopK": 1, "Gemm": 1},
        "nodes": [node],
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["N", "width"]}],
        "macs": 90_000,
    }
    found = DA4ML.refusals(target("ecp5"), "int8", model)
    assert [refusal.op for refusal in found] == ["TopK", None, None]
    assert "free dim width" in found[1].reason
    assert "90,000 times" in found[2].reason
    assert "no FPGA" in DA4ML.refusals(target("arm64"), "int8", model)[0].reason


def described(artifact: Path):
    return json.loads((artifact / "run.json").read_text())

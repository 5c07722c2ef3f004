"""How to call this circuit: python run.py [inputs.npz [outputs.npz]]. Needs numpy, and Icarus Verilog's iverilog and
vvp."""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here))
import calling  # type: ignore[import-not-found]  # noqa: E402 - it lies beside this file

BENCH = """`timescale 1 ns / 1 ps
module bench;
    reg clk = 0; reg [{inputs}-1:0] given [0:0]; wire [{outputs}-1:0] found; integer edges;
    {top} network (.clk(clk), .model_inp(given[0]), .model_out(found));
    initial begin
        $readmemh("given.hex", given);
        for (edges = 0; edges <= {latency}; edges = edges + 1) begin #5 clk = 1; #5 clk = 0; end
        $display("found %h", found); $finish;
    end
endmodule
"""
description = calling.described(here)
circuit = description["circuit"]
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in description["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
shapes = {port["name"]: [1 if isinstance(dim, str) else dim for dim in port["shape"]] for port in description["inputs"]}
feeds = {name: given.get(name, np.zeros(shape)) for name, shape in shapes.items()}
with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    side = circuit["input"]
    (folder / "given.hex").write_text(f"{calling.packed(calling.levels(description, feeds), side['word']):x}\n")
    widths = {"inputs": side["width"], "outputs": circuit["output"]["width"], "top": circuit["top"]}
    (folder / "bench.v").write_text(BENCH.format(latency=circuit["latency"], **widths))
    for table in (here / "rtl").glob("memfiles/*.mem"):
        (folder / table.name).write_bytes(table.read_bytes())
    sources = [*sorted((here / "rtl").glob("*.v")), *sorted((here / "rtl/static").glob("*.v"))]
    subprocess.run(
        ["iverilog", "-g2012", "-o", "bench.vvp", "-s", "bench", "bench.v", *sources], cwd=folder, check=True
    )
    done = subprocess.run(["vvp", "-n", "bench.vvp"], cwd=folder, check=True, capture_output=True, text=True)
    number = int(next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("found ")), 16)
results = calling.values(description, calling.unpacked(number, circuit["output"]))
found = [results[port["name"]] for port in description["outputs"]]
for port, value in zip(description["outputs"], found, strict=True):
    print(port["name"], value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

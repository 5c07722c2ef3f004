"""How to call this model: python run.py [inputs.npz [outputs.npz]]. Needs numpy, and an OpenCL driver with its loader
(libOpenCL)."""

import json
import pathlib
import sys

import numpy as np
import opencl

here = pathlib.Path(__file__).resolve().parent
about = json.loads((here / "run.json").read_text(encoding="utf-8"))
device = opencl.Device()
program = device.build((here / about["kernels"]).read_text(encoding="utf-8"))
weights = {int(name): array for name, array in np.load(here / "weights.npz").items()}
buffers = [device.buffer(size, weights.get(place)) for place, size in enumerate(about["buffers"])]
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in about["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
for port in about["inputs"]:
    device.write(buffers[port["buffer"]], np.asarray(given.get(port["name"], np.zeros(port["shape"])), port["dtype"]))
for each in about["launches"]:
    kernel = device.kernel(program, each["kernel"], [buffers[place] for place in each["buffers"]])
    device.launch(kernel, each["groups"], each["items"])
found = [device.read(buffers[port["buffer"]], port["shape"], port["dtype"]) for port in about["outputs"]]
for port, value in zip(about["outputs"], found, strict=True):
    print(port["name"], value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

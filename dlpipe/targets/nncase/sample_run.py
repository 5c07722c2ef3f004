"""How to call this model, here in nncase's simulator: python run.py [inputs.npz [outputs.npz]]. Needs numpy and
nncase 1.

On the chip, nncase's runtime in C++ loads the same file: nncase::runtime::interpreter, or `KPU` in MaixPy and CanMV.
"""

import json
import pathlib
import sys

import nncase
import numpy as np

here = pathlib.Path(__file__).resolve().parent
about = json.loads((here / "run.json").read_text(encoding="utf-8"))
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in about["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
simulator = nncase.Simulator()
simulator.load_model((here / about["entry"]).read_bytes())
for place, port in enumerate(about["inputs"]):
    array = np.ascontiguousarray(given.get(port["name"], np.zeros(port["shape"])), port["dtype"])
    simulator.set_input_tensor(place, nncase.RuntimeTensor.from_numpy(array))
simulator.run()
found = [simulator.get_output_tensor(place).to_numpy() for place in range(len(about["outputs"]))]
for port, value in zip(about["outputs"], found, strict=True):
    print(port["name"], value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

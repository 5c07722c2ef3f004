"""How to call this model on a Mac: python run.py [inputs.npz [outputs.npz]]. Needs macOS 13, numpy, and run.json's
coremltools."""

import json
import pathlib
import platform
import sys

import numpy as np

if platform.system() != "Darwin":
    sys.exit("Core ML executes on Apple's systems only: run this on a Mac")
import coremltools as ct

here = pathlib.Path(__file__).resolve().parent
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
model = ct.models.MLModel(str(here / ports["entry"]))
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in ports["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
inputs = {}
for port in ports["inputs"]:
    shape = [dim if isinstance(dim, int) else 1 for dim in port["shape"]]
    inputs[port["feature"]] = np.asarray(given.get(port["name"], np.zeros(shape)), port["feature_dtype"])
results = model.predict(inputs)
found = [results[port["feature"]].astype(port["dtype"]) for port in ports["outputs"]]
for port, value in zip(ports["outputs"], found, strict=True):
    print(port["name"], value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

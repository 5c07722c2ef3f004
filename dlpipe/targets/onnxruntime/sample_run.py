"""How to call this model: python run.py [inputs.npz [outputs.npz]]. Needs the packages numpy and onnxruntime."""

import json
import os
import pathlib
import sys

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else it reports what it runs; read when it is imported
import onnxruntime

here = pathlib.Path(__file__).resolve().parent
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
session = onnxruntime.InferenceSession(str(here / ports["entry"]), providers=["CPUExecutionProvider"])
if len(sys.argv) > 1:
    feed = dict(np.load(sys.argv[1]))
else:
    shapes = {p["name"]: [d if isinstance(d, int) else 1 for d in p["shape"]] for p in ports["inputs"]}
    feed = {p["name"]: np.zeros(shapes[p["name"]], p["dtype"]) for p in ports["inputs"]}
found = session.run(None, feed)
for port, value in zip(session.get_outputs(), found, strict=True):
    print(port.name, value.shape, value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

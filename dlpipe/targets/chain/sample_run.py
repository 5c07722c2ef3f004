"""How to call this model: python run.py [inputs.npz [outputs.npz]]. Needs numpy and the runtimes of its parts."""

import importlib
import json
import pathlib
import sys

import numpy as np

here = pathlib.Path(__file__).resolve().parent
model = json.loads((here / "run.json").read_text(encoding="utf-8"))
if len(sys.argv) > 1:
    values = dict(np.load(sys.argv[1]))
else:
    shapes = {p["name"]: [d if isinstance(d, int) else 1 for d in p["shape"]] for p in model["inputs"]}
    values = {p["name"]: np.zeros(shapes[p["name"]], p["dtype"]) for p in model["inputs"]}
for part in model["parts"]:
    loaded = importlib.import_module(f"calling.{part['guest']}").Model(str(here / part["folder"]))
    values |= loaded.run({name: values[name] for name in loaded.inputs})
found = [values[port["name"]] for port in model["outputs"]]
for port, value in zip(model["outputs"], found, strict=True):
    print(port["name"], value.shape, value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

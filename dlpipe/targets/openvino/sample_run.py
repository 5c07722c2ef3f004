"""How to call this model: python run.py [inputs.npz [outputs.npz]]. Needs the packages numpy and openvino."""

import json
import pathlib
import sys

import numpy as np
import openvino

here = pathlib.Path(__file__).resolve().parent
about = json.loads((here / "run.json").read_text(encoding="utf-8"))
core = openvino.Core()
entry = here / about["entry"]
if entry.suffix == ".blob":
    compiled = core.import_model(entry.read_bytes(), about["device"], about["properties"])
else:  # compiled once, and loaded faster from then on
    kept = {"CACHE_DIR": str(pathlib.Path.home() / ".cache" / "openvino")}
    compiled = core.compile_model(str(entry), about["device"], about["properties"] | kept)
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in about["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
feeds = []
for port in about["inputs"]:
    shape = [dim if isinstance(dim, int) else 1 for dim in port["shape"]]
    feeds.append(np.ascontiguousarray(given.get(port["name"], np.zeros(shape)), port["dtype"]))
results = compiled(feeds)
found = [results[index] for index in range(len(about["outputs"]))]
for port, value in zip(about["outputs"], found, strict=True):
    print(port["name"], value.shape, value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

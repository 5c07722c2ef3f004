"""How to call this model: python run.py [inputs.npz [outputs.npz]]. Needs numpy, and torch in run.json's version."""

import json
import pathlib
import sys

import numpy as np
import torch
import torch._inductor

here = pathlib.Path(__file__).resolve().parent
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
model = torch._inductor.aoti_load_package(str(here / ports["entry"]))  # noqa: SLF001 - this is its public name
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in ports["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
inputs = []
for port in ports["inputs"]:
    shape = [dim if isinstance(dim, int) else 1 for dim in port["shape"]]
    inputs.append(torch.from_numpy(np.ascontiguousarray(given.get(port["name"], np.zeros(shape)), port["dtype"])))
with torch.inference_mode():
    results = model(*inputs)
found = [result.numpy() for result in results]
for port, value in zip(ports["outputs"], found, strict=True):
    print(port["name"], value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

"""How to call this model: python run.py [inputs.npz [outputs.npz]]. Needs the packages numpy and MNN."""

import json
import pathlib
import sys

import MNN.expr as expr
import MNN.nn as nn
import numpy as np

here = pathlib.Path(__file__).resolve().parent
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
config = {"backend": ports["options"]["backend"], "precision": ports["options"]["precision"], "numThread": 1}
names = [[port["name"] for port in ports[side]] for side in ("inputs", "outputs")]
runtime = nn.create_runtime_manager((config,))
net = nn.load_module_from_file(str(here / ports["entry"]), *names, runtime_manager=runtime)
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in ports["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
fed = []
for port in ports["inputs"]:
    shape = [dim if isinstance(dim, int) else 1 for dim in port["shape"]]
    array = np.asarray(given.get(port["name"], np.zeros(shape)))
    number, kind = {"float32": ("f4", expr.float), "uint8": ("u1", expr.uint8)}.get(port["dtype"], ("i4", expr.int))
    array = np.ascontiguousarray(array, number)
    fed.append(expr.const(array if array.ndim else array.item(), list(array.shape), expr.NCHW, kind))
results = net.forward(fed)
found = [expr.convert(each, expr.NCHW).read() for each in (results if isinstance(results, list | tuple) else [results])]
for port, value in zip(ports["outputs"], found, strict=True):
    print(port["name"], value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

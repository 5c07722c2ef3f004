"""How to call this model: python run.py [inputs.npz [outputs.npz]]. Needs the packages numpy and ai-edge-litert;
on 32-bit Arm numpy and tflite-runtime, which is what LiteRT was before."""

import json
import pathlib
import sys

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter
except ModuleNotFoundError:
    from tflite_runtime.interpreter import Interpreter

here = pathlib.Path(__file__).resolve().parent
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
call = Interpreter(str(here / "model.tflite"), num_threads=1).get_signature_runner("serving_default")
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in ports["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
feeds = {}
for port in ports["inputs"]:
    shape = [dim if isinstance(dim, int) else 1 for dim in port["shape"]]
    feeds[port["name"]] = np.asarray(given.get(port["name"], np.zeros(shape)), port["dtype"])
results = call(**feeds)
found = [results[port["name"]] for port in ports["outputs"]]
for port, value in zip(ports["outputs"], found, strict=True):
    print(port["name"], value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

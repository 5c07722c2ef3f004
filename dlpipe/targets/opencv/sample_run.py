"""How to call this model: python run.py [inputs.npz [outputs.npz]]. Needs the packages numpy and
opencv-python-headless."""

import json
import pathlib
import sys

import cv2
import numpy as np

here = pathlib.Path(__file__).resolve().parent
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
engine = {"new": cv2.dnn.ENGINE_NEW, "classic": cv2.dnn.ENGINE_CLASSIC}[ports["options"]["engine"]]
net = cv2.dnn.readNetFromONNX(str(here / ports["entry"]), engine)
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in ports["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
for port in ports["inputs"]:
    shape = [dim if isinstance(dim, int) else 1 for dim in port["shape"]]
    net.setInput(np.ascontiguousarray(given.get(port["name"], np.zeros(shape)), port["dtype"]), port["name"])
names = [port["name"] for port in ports["outputs"]]
found = net.forward(names)
for name, value in zip(names, found, strict=True):
    print(name, value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

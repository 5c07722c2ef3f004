"""How to call this model on the board: python run.py [inputs.npz [outputs.npz]]. Needs numpy and Rockchip's
rknn-toolkit-lite2."""

import json
import pathlib
import sys

import numpy as np
from rknnlite.api import RKNNLite

here = pathlib.Path(__file__).resolve().parent
about = json.loads((here / "run.json").read_text(encoding="utf-8"))
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in about["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
feeds = [np.asarray(given.get(port["name"], np.zeros(port["shape"])), port["dtype"]) for port in about["inputs"]]
npu = RKNNLite()
if npu.load_rknn(str(here / about["entry"])) != 0 or npu.init_runtime() != 0:
    sys.exit("the NPU's runtime does not load the model")
layouts = ["nchw"] * len(feeds)  # as the ONNX model had it
found = npu.inference(inputs=feeds, data_format=layouts)
for port, value in zip(about["outputs"], found, strict=True):
    print(port["name"], value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json
npu.release()

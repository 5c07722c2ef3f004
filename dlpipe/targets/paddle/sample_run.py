"""How to call this model: python run.py [inputs.npz [outputs.npz]]. Needs the packages numpy and paddlepaddle."""

import json
import pathlib
import sys

import numpy as np
from paddle import inference

here = pathlib.Path(__file__).resolve().parent
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
weights = here / "model.pdiparams"
config = inference.Config(str(here / "model.json"), str(weights) if weights.is_file() else "")
config.disable_gpu()
config.disable_glog_info()
engine = inference.create_predictor(config)
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in ports["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
for port in ports["inputs"]:
    shape = [dim if isinstance(dim, int) else 1 for dim in port["shape"]]
    array = np.ascontiguousarray(given.get(port["name"], np.zeros(shape)), port["dtype"])
    engine.get_input_handle(port["tensor"]).copy_from_cpu(array)
engine.run()
found = [engine.get_output_handle(name).copy_to_cpu() for name in engine.get_output_names()]
for port, value in zip(ports["outputs"], found, strict=True):
    print(port["name"], value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

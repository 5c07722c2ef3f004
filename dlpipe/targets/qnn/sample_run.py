"""How to call this model: python run.py [inputs.npz [outputs.npz]]. Needs the packages numpy, onnxruntime and
onnxruntime-qnn.

On a Snapdragon it computes on the Hexagon NPU, on an x86-64 machine in Qualcomm's simulator of it.
"""

import json
import os
import pathlib
import sys

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else it reports what it runs; read when it is imported
import onnxruntime as ort
import onnxruntime_qnn as qnn

here = pathlib.Path(__file__).resolve().parent
about = json.loads((here / "run.json").read_text(encoding="utf-8"))
ort.register_execution_provider_library("QNNExecutionProvider", qnn.get_library_path())
options = ort.SessionOptions()
options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")  # the NPU or nothing
device = next(each for each in ort.get_ep_devices() if each.ep_name == "QNNExecutionProvider")
settings = {key: str(value) for key, value in about["options"].items()}
options.add_provider_for_devices([device], {"backend_path": qnn.get_qnn_htp_path(), **settings})
session = ort.InferenceSession(str(here / about["entry"]), options)
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in about["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
feeds = {
    port["name"]: np.asarray(given.get(port["name"], np.zeros(port["shape"])), port["dtype"])
    for port in about["inputs"]
}
found = session.run(None, feeds)
for port, value in zip(session.get_outputs(), found, strict=True):
    print(port.name, value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

"""How to call this project's C simulation: python run.py [inputs.npz [outputs.npz]]. Needs numpy and g++."""

import ctypes
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

here = pathlib.Path(__file__).resolve().parent
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
project = here / "hls"
with tempfile.TemporaryDirectory() as scratch:
    library = pathlib.Path(scratch, "simulation.so")
    options = ["-std=c++17", "-O1", "-w", "-fPIC", "-shared", f"-I{project / 'firmware' / 'ap_types'}", f"-I{project}"]
    weights = f'-DWEIGHTS_DIR="{project / "firmware" / "weights"}"'
    sources = [project / "firmware" / "network.cpp", project / "network_bridge.cpp"]
    subprocess.run(["g++", *options, weights, *sources, "-o", library], check=True)
    network = ctypes.CDLL(str(library)).network_float
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in ports["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
arrays = []
for port in (*ports["inputs"], *ports["outputs"]):
    shape = [1 if isinstance(dim, str) else dim for dim in port["shape"]]
    array = np.asarray(given.get(port["name"], np.zeros(shape)), np.float32).reshape(shape)
    arrays.append(np.ascontiguousarray(np.moveaxis(array, 1, -1) if port["channels_last"] else array))
network(*(array.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for array in arrays))
results = zip(ports["outputs"], arrays[len(ports["inputs"]) :], strict=True)
found = [np.moveaxis(array, -1, 1) if port["channels_last"] else array for port, array in results]
for port, value in zip(ports["outputs"], found, strict=True):
    print(port["name"], value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

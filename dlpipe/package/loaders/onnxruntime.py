"""How to call this encrypted model: python load_encrypted.py IDENTITY [inputs.npz].

IDENTITY is the file with your age identity, or `-` where a key management system has the key. Needs the packages numpy,
cryptography and pyrage, and onnxruntime or, where run.json says "onnxruntime-cuda", onnxruntime-gpu[cuda,cudnn] and an
NVIDIA GPU. The model is decrypted into memory: nothing of it is written anywhere.
"""

import json
import os
import pathlib
import sys

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # else it keeps names and hashes of the model on the disk, and sends them
import onnxruntime

sys.dont_write_bytecode = True  # nothing may be added to a signed package
import sealed  # after that

here = pathlib.Path(__file__).resolve().parent
files = sealed.load(here)
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
options = onnxruntime.SessionOptions()
weights = {name: data for name, data in files.items() if name.startswith(ports["entry"] + ".")}
options.add_external_initializers_from_files_in_memory(
    list(weights), list(weights.values()), [len(data) for data in weights.values()]
)
wanted = ["CPUExecutionProvider"]
if ports["backend"] == "onnxruntime-cuda":
    wanted.insert(0, "CUDAExecutionProvider")
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
session = onnxruntime.InferenceSession(files[ports["entry"]], options, providers=wanted)
if session.get_providers()[0] != wanted[0]:
    sys.exit(f"not on the GPU: ONNX Runtime has {session.get_providers()} here")
if len(sys.argv) > 2:
    feed = dict(np.load(sys.argv[2]))
else:
    shapes = {p["name"]: [d if isinstance(d, int) else 1 for d in p["shape"]] for p in ports["inputs"]}
    feed = {p["name"]: np.zeros(shapes[p["name"]], p["dtype"]) for p in ports["inputs"]}
for port, value in zip(session.get_outputs(), session.run(None, feed), strict=True):
    print(port.name, value.shape, value)

"""How to call this encrypted model: python load_encrypted.py IDENTITY [inputs.npz].

IDENTITY is the file with your age identity, or `-` where a key management system has the key. Needs the packages numpy,
openvino, cryptography and pyrage. The model is decrypted into memory: nothing of it is written anywhere, so OpenVINO's
cache of compiled models must stay off, too.
"""

import json
import pathlib
import sys

import numpy as np
import openvino

sys.dont_write_bytecode = True  # nothing may be added to a signed package
import sealed  # after that

here = pathlib.Path(__file__).resolve().parent
files = sealed.load(here)
about = json.loads((here / "run.json").read_text(encoding="utf-8"))
core = openvino.Core()
if about["entry"].endswith(".blob"):
    compiled = core.import_model(files[about["entry"]], about["device"], about["properties"])
else:
    model = core.read_model(files["model.xml"], files["model.bin"])
    compiled = core.compile_model(model, about["device"], about["properties"])
given = np.load(sys.argv[2]) if len(sys.argv) > 2 else {}
feeds = []
for port in about["inputs"]:
    shape = [dim if isinstance(dim, int) else 1 for dim in port["shape"]]
    feeds.append(np.ascontiguousarray(given.get(port["name"], np.zeros(shape)), port["dtype"]))
results = compiled(feeds)
for index, port in enumerate(about["outputs"]):
    print(port["name"], results[index].shape, results[index])

"""How to call this encrypted model: python load_encrypted.py IDENTITY [inputs.npz].

IDENTITY is the file with your age identity, or `-` where a key management system has the key. Needs the packages numpy,
ncnn, cryptography and pyrage, and Linux. The model is decrypted into memory that ncnn reads like files (memfd): nothing
of it is written to a disk. (What its Python package loads from bytes would refer to memory that is gone by then.)
"""

import json
import os
import pathlib
import sys

import ncnn
import numpy as np

sys.dont_write_bytecode = True  # nothing may be added to a signed package
import sealed  # after that

here = pathlib.Path(__file__).resolve().parent
files = sealed.load(here)
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
net = ncnn.Net()
for option, value in ports["options"].items():
    setattr(net.opt, option, value)
if net.opt.use_vulkan_compute and ncnn.get_gpu_count() == 0:
    sys.exit("there is no Vulkan device: install the driver of the GPU, and the loader (libvulkan1)")
for name, load in (("model.param", net.load_param), ("model.bin", net.load_model)):
    memory = os.memfd_create(name)
    with open(memory, "wb") as file:  # noqa: PTH123 - of a descriptor
        file.write(files.pop(name))
        file.flush()
        if load(f"/proc/self/fd/{memory}") != 0:
            sys.exit(f"ncnn does not load {name}")
extractor = net.create_extractor()
given = np.load(sys.argv[2]) if len(sys.argv) > 2 else {}
for port in ports["inputs"]:
    shape = [dim if isinstance(dim, int) else 1 for dim in port["shape"]]
    array = np.ascontiguousarray(given.get(port["name"], np.zeros(shape)), "i4" if "int" in port["dtype"] else "f4")
    extractor.input(port["blob"], ncnn.Mat(array, batch_index=port["batch_index"]).clone())
for port in ports["outputs"]:
    print(port["name"], extractor.extract(port["blob"])[1].numpy(batch_index=port["batch_index"]))

"""How to call this model: python run.py [inputs.npz [outputs.npz]]. Needs the packages numpy and ncnn."""

import json
import pathlib
import sys

import ncnn
import numpy as np

here = pathlib.Path(__file__).resolve().parent
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
net = ncnn.Net()
for option, value in ports["options"].items():
    setattr(net.opt, option, value)
if net.opt.use_vulkan_compute and ncnn.get_gpu_count() == 0:
    sys.exit("there is no Vulkan device: install the driver of the GPU, and the loader (libvulkan1)")
net.load_param(str(here / "model.param"))
net.load_model(str(here / "model.bin"))
extractor = net.create_extractor()
given = np.load(sys.argv[1]) if len(sys.argv) > 1 else {}
missing = [port["name"] for port in ports["inputs"] if port["name"] not in given]
if missing and len(sys.argv) > 1:
    sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
for port in ports["inputs"]:
    shape = [dim if isinstance(dim, int) else 1 for dim in port["shape"]]
    array = np.ascontiguousarray(given.get(port["name"], np.zeros(shape)), "i4" if "int" in port["dtype"] else "f4")
    extractor.input(port["blob"], ncnn.Mat(array, batch_index=port["batch_index"]).clone())
found = []
for port in ports["outputs"]:
    found.append(extractor.extract(port["blob"])[1].numpy(batch_index=port["batch_index"]))
    print(port["name"], found[-1])
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

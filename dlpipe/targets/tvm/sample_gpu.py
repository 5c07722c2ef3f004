"""How to call this model: python run.py [inputs.npz [outputs.npz]]. Needs an NVIDIA GPU of the compute capability in
run.json, its driver, and the packages numpy, apache-tvm and apache-tvm-ffi in the version that run.json names."""

import json
import pathlib
import sys

import numpy as np
import tvm
from tvm import relax

here = pathlib.Path(__file__).resolve().parent
about = json.loads((here / "run.json").read_text(encoding="utf-8"))
device = tvm.cuda(0)
if not device.exist or device.compute_version != about["capability"]:
    sys.exit(f"needs an NVIDIA GPU of compute capability {about['capability']}")
kernels = (here / about["kernels"]).read_bytes()
tvm.register_global_func("tvm_callback_cuda_compile", lambda *_: kernels, override=True)
machine = relax.VirtualMachine(tvm.runtime.load_module(str(here / about["entry"])), device)
if len(sys.argv) > 1:
    feed = dict(np.load(sys.argv[1]))
else:
    feed = {port["name"]: np.zeros(port["shape"], port["dtype"]) for port in about["inputs"]}
arguments = [tvm.runtime.tensor(np.ascontiguousarray(feed[port["name"]]), device) for port in about["inputs"]]
result = machine["main"](*arguments)
results = [result] if isinstance(result, tvm.runtime.Tensor) else list(result)
found = [each.numpy() for each in results]
for port, value in zip(about["outputs"], found, strict=True):
    print(port["name"], value.shape, value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *found)  # arr_0, arr_1 ... in the order of run.json

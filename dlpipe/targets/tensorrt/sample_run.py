"""How to call this engine: python run.py [inputs.npz [outputs.npz]]. Needs an NVIDIA GPU of the compute capability that
run.json names, its driver, and the packages numpy, tensorrt-rtx-cu13-libs and tensorrt-rtx-cu13-bindings (or those of
TensorRT)."""

import json
import pathlib
import sys

import cuda
import loading
import numpy as np

here = pathlib.Path(__file__).resolve().parent
about = json.loads((here / "run.json").read_text(encoding="utf-8"))
device = cuda.Device()
device.must_be(about["capability"])
trt, _ = loading.load(about["kind"])
engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine((here / about["entry"]).read_bytes())
context = engine.create_execution_context()
if len(sys.argv) > 1:
    feed = dict(np.load(sys.argv[1]))
    if missing := [port["name"] for port in about["inputs"] if port["name"] not in feed]:
        sys.exit(f"{sys.argv[1]} lacks the input {', '.join(missing)}")
else:
    shapes = {p["name"]: [d if isinstance(d, int) else 1 for d in p["shape"]] for p in about["inputs"]}
    feed = {p["name"]: np.zeros(shapes[p["name"]], p["dtype"]) for p in about["inputs"]}
for name, array in feed.items():
    value = np.ascontiguousarray(array, trt.nptype(engine.get_tensor_dtype(name)))
    context.set_input_shape(name, value.shape)
    address = device.allocate(value.nbytes)
    device.upload(address, value)
    context.set_tensor_address(name, address)
results = {}
for port in about["outputs"]:
    dtype = trt.nptype(engine.get_tensor_dtype(port["name"]))
    value = np.empty(tuple(context.get_tensor_shape(port["name"])), dtype)
    address = device.allocate(value.nbytes)
    context.set_tensor_address(port["name"], address)
    results[port["name"]] = address, value
context.execute_async_v3(device.stream)
device.synchronise()
for name, (address, value) in results.items():
    device.download(address, value)
    print(name, value.shape, value)
if len(sys.argv) > 2:
    np.savez(sys.argv[2], *(value for _, value in results.values()))  # arr_0, arr_1 ... in the order of run.json
